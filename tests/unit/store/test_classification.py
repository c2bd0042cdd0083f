"""What a description is taken for until a person decides."""

from __future__ import annotations

import pytest

from mixhaul_store import classification as c

INFRACTIONS = [
    "Over speeding",
    "Over speeding in location",
    "OVERSPEEDING",
    "Over-speed 80",
    "Harsh braking",
    "Harsh acceleration",
    "Harsh cornering",
    "Over revving",
    "Out of green band driving",
    "Idle - excessive",
    "Driver seatbelt not engaged",
    "Excessive idling",
    "(Tr) Excesso de Velocidade 70 Km",
    "(Tr) Freada Brusca",
    "(Tr) Curva Brusca",
    "Aceleração brusca",
    "ACELERAÇÃO BRUSCA",
    "Frenagem severa",
    "Excesso de rotação",
    "Marcha lenta excessiva",
    "Cinto de segurança não afivelado",
    "Condução em ponto morto",
    "Uso de celular",
    "Velocidade acima do permitido",
]
OTHERS = {
    "Possible impact": c.SAFETY,
    "Panic Alert": c.SAFETY,
    "Botão de pânico": c.SAFETY,
    "Possível colisão": c.SAFETY,
    "Ignition On": c.NORMAL,
    "Ignição ligada": c.NORMAL,
    "Engine coolant temperature high": c.DIAGNOSTICS,
    "Diagnostic trouble code": c.DIAGNOSTICS,
    "Tensão da bateria baixa": c.DIAGNOSTICS,
    "Speed sensor fault": c.DIAGNOSTICS,
    "805:Weekly Rest": c.WORKING_HOURS,
    "Início de jornada": c.WORKING_HOURS,
    "Firmware updated": c.CONFIGURATION,
    "GPS signal lost": c.COMMUNICATION,
    "Perda de sinal GPS": c.COMMUNICATION,
    "PTO engaged": c.EQUIPMENT,
    "Periodic position": c.MONITORING,
    "Saída do recinto": c.NORMAL,
    "Extensão da via": c.NORMAL,
    "": c.NORMAL,
    "???": c.NORMAL,
}


@pytest.mark.parametrize("description", INFRACTIONS)
def test_driving_infractions(description: str) -> None:
    found = c.propose(description)
    assert (found.family, found.is_infraction) == (c.INFRACTION, True)
    assert found.severity != c.NONE


@pytest.mark.parametrize(("description", "family"), OTHERS.items())
def test_everything_else(description: str, family: str) -> None:
    severity = c.HIGH if family == c.SAFETY else c.NONE
    assert c.propose(description) == c.Proposal(family=family, is_infraction=False, severity=severity)


@pytest.mark.parametrize(
    ("description", "severity"),
    [
        ("(Tr) Excesso de Velocidade 70 Km", c.HIGH),
        ("Driver seatbelt not engaged", c.HIGH),
        ("(Tr) Freada Brusca", c.MEDIUM),
        ("Idle - excessive", c.LOW),
        ("Over revving", c.LOW),
    ],
)
def test_infractions_are_not_equally_severe(description: str, severity: str) -> None:
    assert c.propose(description).severity == severity


def test_a_type_without_description_is_normal_operation() -> None:
    assert c.propose(None) == c.Proposal(family=c.NORMAL, is_infraction=False, severity=c.NONE)


@pytest.mark.parametrize(
    ("plain", "written"), [("freada brusca", "  FREADA\u00a0 Brusca "), ("acao", "Ação"), ("acao", "Ac\u0327a\u0303o")]
)
def test_accents_case_and_blanks_do_not_matter(plain: str, written: str) -> None:
    assert c.fold(written) == plain
