"""All words of the form, in Portuguese (of Brazil) and in English. No text here names a person or a company."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from mixhaul_api.report.completeness import Missing


@dataclass(frozen=True, slots=True)
class Texts:
    """The words of one language."""

    code: str
    locale: str
    title: str
    driver: str
    name_unknown: str
    number: str
    employee_number: str
    site: str
    period: str
    time_zone: str
    in_the_month: str
    infractions: str
    duration: str
    duration_unit: str
    trend: str
    trend_basis: str
    no_trend: str
    rank: str
    rank_value: str
    rank_shared: str
    rank_basis: str
    types: str
    type: str
    months: str
    weeks: str
    week: str
    total: str
    none: str
    none_so_far: str
    count_and_time: str
    listed: str
    omitted: str
    when: str
    vehicle: str
    place: str
    speed: str
    type_unknown: str
    remarks: str
    acknowledgement_title: str
    acknowledgement: str
    signatures: tuple[str, ...]
    signature_date: str
    incomplete: str
    incomplete_columns: str
    late: str
    as_of: str
    as_of_nothing: str
    generated: str
    page: str
    reasons: Mapping[Missing, str]


PORTUGUESE: Final = Texts(
    code="pt",
    locale="pt_BR",
    title="Relatório de desempenho do motorista",
    driver="Motorista",
    name_unknown="(nome ainda não recebido)",
    number="Código",
    employee_number="Matrícula",
    site="Unidade",
    period="Período",
    time_zone="Fuso horário",
    in_the_month="no mês",
    infractions="Infrações",
    duration="Duração",
    duration_unit="min:s",
    trend="Tendência",
    trend_basis="média dos dois meses anteriores: {average}",
    no_trend="só com os três meses completos",
    rank="Posição na unidade",
    rank_value="{position}º de {drivers}",
    rank_shared="empate com mais {others}",
    rank_basis="menos infrações primeiro",
    types="Infrações por tipo",
    type="Tipo de infração",
    months="Meses",
    weeks="Semanas de {month}",
    week="Sem. {number}",
    total="Total",
    none="Nenhuma infração registrada nos três meses.",
    none_so_far="Nenhuma infração conhecida até agora; os dados estão incompletos.",
    count_and_time="Em cada campo: quantidade e, abaixo, duração total (min:s).",
    listed="Infrações de {month}",
    omitted="E mais {number}, contadas acima e não listadas aqui.",
    when="Data e hora",
    vehicle="Veículo",
    place="Local",
    speed="km/h / limite",
    type_unknown="Tipo {number}",
    remarks="Observações",
    acknowledgement_title="Ciência",
    acknowledgement="Declaro que tomei conhecimento das informações deste relatório, que me foram apresentadas e "
    "explicadas. A assinatura não significa concordância: posso registrar minhas observações neste formulário.",
    signatures=("Motorista", "Responsável"),
    signature_date="Data",
    incomplete="Dados incompletos: os números deste mês não são definitivos",
    incomplete_columns="* Mês com dados incompletos.",
    late="Veículos fora de cobertura podem enviar eventos com atraso.",
    as_of="Dados até",
    as_of_nothing="nenhum dado recebido",
    generated="Emitido em {moment}",
    page="Página",
    reasons={
        Missing.NOT_OVER: "o mês ainda não terminou",
        Missing.NOT_UP_TO_DATE: "os dados recebidos não chegam ao fim do mês",
        Missing.OPEN_GAPS: "há lacunas abertas na coleta de dados que podem conter eventos do mês",
        Missing.EVENTS_MISSING: "faltam eventos do mês que não puderam ser obtidos",
        Missing.BEFORE_THE_HAUL: "a coleta de dados começou depois do início do mês",
        Missing.NOT_KEPT: "eventos do mês já foram apagados pelo prazo de retenção",
    },
)

ENGLISH: Final = Texts(
    code="en",
    locale="en_GB",
    title="Driver performance report",
    driver="Driver",
    name_unknown="(name not received yet)",
    number="Id",
    employee_number="Employee number",
    site="Site",
    period="Period",
    time_zone="Time zone",
    in_the_month="in the month",
    infractions="Infractions",
    duration="Duration",
    duration_unit="min:s",
    trend="Trend",
    trend_basis="average of the two months before: {average}",
    no_trend="only once all three months are complete",
    rank="Place in the site",
    rank_value="{position} of {drivers}",
    rank_shared="shared with {others} more",
    rank_basis="fewest infractions first",
    types="Infractions by type",
    type="Type of infraction",
    months="Months",
    weeks="Weeks of {month}",
    week="Week {number}",
    total="Total",
    none="No infractions recorded in the three months.",
    none_so_far="No infractions known so far; the data is incomplete.",
    count_and_time="In each field: the number and, below, the total duration (min:s).",
    listed="Infractions of {month}",
    omitted="And {number} more, counted above and not listed here.",
    when="Date and time",
    vehicle="Vehicle",
    place="Place",
    speed="km/h / limit",
    type_unknown="Type {number}",
    remarks="Remarks",
    acknowledgement_title="Acknowledgement",
    acknowledgement="I confirm that the contents of this report were shown and explained to me. My signature does not "
    "mean that I agree: I may write my remarks on this form.",
    signatures=("Driver", "Supervisor"),
    signature_date="Date",
    incomplete="Incomplete data: this month's figures are not final",
    incomplete_columns="* Month with incomplete data.",
    late="Vehicles out of coverage may still send events late.",
    as_of="Data as of",
    as_of_nothing="no data received",
    generated="Issued on {moment}",
    page="Page",
    reasons={
        Missing.NOT_OVER: "the month is not over",
        Missing.NOT_UP_TO_DATE: "the data received does not reach the end of the month",
        Missing.OPEN_GAPS: "there are open gaps in the data that may hold events of the month",
        Missing.EVENTS_MISSING: "events of the month are missing that could not be had",
        Missing.BEFORE_THE_HAUL: "data was collected only from a day after the month began",
        Missing.NOT_KEPT: "events of the month were deleted by the retention period",
    },
)

TEXTS: Final[Mapping[str, Texts]] = {one.code: one for one in (PORTUGUESE, ENGLISH)}
