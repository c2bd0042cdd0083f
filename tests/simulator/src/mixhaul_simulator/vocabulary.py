"""Brazilian names, places and event types that the fleets are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

COMPANIES: Final = (
    "Expresso Litoral Ltda",
    "Transportes São João S.A.",
    "Viação Conceição",
    "Logística Araucária",
    "Cooperativa de Cargas Itajaí",
    "Rodoviário Pé-na-Estrada",
    "Agropecuária Três Irmãos",
    "Mineração Ouro Preto",
)
FIRST_NAMES: Final = (
    *("Antônio", "João", "José", "Luís", "Márcio", "Fábio", "Célia", "Conceição", "Inês", "Júlia", "Sebastião"),
    *("Raimundo", "Vinícius", "Patrícia", "Érica", "Otávio", "Flávia", "Adriano", "Tânia", "Ângela", "Ítalo", "Úrsula"),
)
SURNAMES: Final = (
    *("da Silva", "dos Santos", "Araújo", "Gonçalves", "Magalhães", "Assunção", "Brandão", "D'Ávila", "Esperança"),
    *("Falcão", "Guimarães", "Hernández", "Júnior", "Leão", "Muñoz", "Nóbrega", "Pão-Duro", "Quadros", "Simões"),
)
PLACES: Final = (
    ("São Paulo", "SP", -23.5505, -46.6333),
    ("Ribeirão Preto", "SP", -21.1775, -47.8103),
    ("Uberlândia", "MG", -18.9186, -48.2772),
    ("Goiânia", "GO", -16.6869, -49.2648),
    ("Brasília", "DF", -15.7939, -47.8828),
    ("Itajaí", "SC", -26.9101, -48.6706),
    ("Macapá", "AP", 0.0349, -51.0694),
    ("Paranaguá", "PR", -25.5163, -48.5225),
)
STREETS: Final = (
    "Avenida Conceição",
    "Rua São João, 1.024",
    "Rodovia BR-116, km 402",
    'Rua "Sete de Setembro"',
    "Praça da Sé",
    "Estrada do Açaí\\Norte",
    "Travessa José Bonifácio – fundos",
)
MODELS: Final = (
    ("Scania", "R 450", "Diesel"),
    ("Volvo", "FH 540", "Diesel"),
    ("Mercedes-Benz", "Actros 2651", "Diesel"),
    ("Volkswagen", "Constellation 24.280", "Diesel"),
    ("Iveco", "Tector 170E21", "Diesel"),
    ("BYD", "eT7", "Electric"),
)


@dataclass(frozen=True, slots=True)
class TypeSketch:
    """What an event type is like. `low` and `high` bound the value; None where it carries none."""

    description: str
    category: str
    event_type: str
    units: str | None
    format_type: str | None
    value_name: str | None
    value_type: str
    low: float | None
    high: float | None
    weight: int


def _t(
    description: str, category: str = "Detail", *, value: tuple[str, str, float, float] | None = None, weight: int = 4
) -> TypeSketch:
    event_type = "Custom" if description.startswith("(Tr)") else "Standard"
    if value is None:
        return TypeSketch(description, category, event_type, None, None, None, "Current", None, None, weight)
    name, units, low, high = value
    kind = "Average" if category == "Summary" else "Maximum"
    return TypeSketch(description, category, event_type, units, "0.0", name, kind, low, high, weight)


_SPEED: Final = ("Velocidade máxima", "km/h", 60.0, 145.0)
_FORCE: Final = ("Desaceleração", "km/h/s", -19.5, -9.0)

TYPES: Final = (
    _t("Over speeding", value=_SPEED, weight=12),
    _t("Over speeding in location", value=_SPEED, weight=5),
    _t("(Tr) Excesso de Velocidade 70 Km", value=_SPEED, weight=10),
    _t("(Tr) Freada Brusca", value=_FORCE, weight=7),
    _t("(Tr) Curva Brusca", value=("Força lateral", "g", 0.2, 0.9)),
    _t("Harsh braking", value=_FORCE, weight=8),
    _t("Harsh acceleration", value=("Aceleração", "km/h/s", 8.0, 17.0), weight=6),
    _t("Harsh cornering", value=("Força lateral", "g", 0.2, 0.9)),
    _t("Over revving", value=("Rotação", "rpm", 2100.0, 3400.0)),
    _t("Out of green band driving", "Summary", value=("Rotação média", "rpm", 900.0, 2300.0), weight=7),
    _t("Idle - excessive", value=("Duração", "s", 300.0, 5400.0), weight=7),
    _t("Driver seatbelt not engaged", weight=5),
    _t("Possible impact", "Notify", value=("Impacto", "g", 1.5, 8.0), weight=1),
    _t("Panic Alert", "Notify", weight=1),
    _t("Ignition On", "Notify", weight=14),
    _t("Engine coolant temperature high", "Notify", value=("Temperatura", "°C", 98.0, 131.0), weight=1),
    _t("Diagnostic trouble code", "Notify", value=("SPN", "", 1.0, 520192.0), weight=2),
    _t("805:Weekly Rest", "Terminal", weight=2),
)
FAMILIES: Final = ("Condução", "Manutenção", "Comunicação", "Configuração", "Jornada", "Equipamento")
