"""Which event types count as infractions, and how severe, proposed from descriptions in Portuguese and English.

A proposal only: it is made when a type first appears, and made anew when its description changes and nobody has
decided; a person's decision through the API is never touched. Families are those that operators sort types into.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

INFRACTION: Final = "driving infraction"
SAFETY: Final = "safety and security"
DIAGNOSTICS: Final = "diagnostics and maintenance"
COMMUNICATION: Final = "communication and system"
CONFIGURATION: Final = "configuration and firmware"
WORKING_HOURS: Final = "working hours and rest"
EQUIPMENT: Final = "special equipment"
MONITORING: Final = "continuous monitoring"
NORMAL: Final = "normal operation"

FAMILIES: Final = (
    NORMAL,
    INFRACTION,
    SAFETY,
    DIAGNOSTICS,
    COMMUNICATION,
    CONFIGURATION,
    WORKING_HOURS,
    EQUIPMENT,
    MONITORING,
)

# The first family whose words occur wins, so the order matters: "end of harsh braking video upload" is no infraction
# any more than "speed sensor fault" is. Words are matched at their beginning, without accents and in lower case.
_WORDS: Final[tuple[tuple[str, str], ...]] = (
    (
        WORKING_HOURS,
        r"\brest\b|weekly rest|working (hours|time)|duty|driving time|jornada|descanso|tempo de (direcao|"
        r"espera)|^\d{3}:",
    ),
    (CONFIGURATION, r"firmware|configurat|configurac|download|upload|programac|software"),
    (
        DIAGNOSTICS,
        r"diagnost|\bdtc\b|fault|falha|defeito|temperatur|oil pressure|pressao d[oe]|coolant|batter|"
        r"bateria|maintenance|manutenc|sensor|voltage|(sub|sobre)?tensao",
    ),
    (COMMUNICATION, r"\bgps\b|\bgsm\b|gprs|communicat|comunicac|signal|sinal|modem|tamper|antena|antenna"),
    (
        SAFETY,
        r"impact|impacto|colis|collision|panic|panico|emergenc|rollover|capotamento|theft|roubo|jamm|"
        r"towing|reboque|door open|porta aberta",
    ),
    (
        INFRACTION,
        r"over ?-?speed|speeding|excesso de velocidade|velocidade (excessiva|acima)|"
        r"harsh|brusc|(freada|frenagem|aceleracao|curva) (brusca|severa|forte)|"
        r"over ?-?rev|excesso de (rotacao|giro)|rpm excess|out of green band|fora da faixa (verde|economica)|"
        r"idle.*excess|excessive idl|marcha lenta excessiva|motor ligado parado|"
        r"seat ?-?belt|cinto|free ?wheel|coasting|banguela|ponto morto|"
        r"celular|cell ?phone|mobile phone|fadiga|fatigue|drows|distrac|distrat|smoking|fumando|"
        r"tailgat|distancia de seguimento|"
        r"red light|semaforo|contramao|wrong way|lane departure|saida de faixa",
    ),
    (EQUIPMENT, r"\bpto\b|tomada de forca|crane|guindaste|bascul|tipper|compactor|reefer|refrigerad|trailer|carreta"),
    (MONITORING, r"periodic|period(o|ic)|monitor|position update|posicao|trip (start|end)|heartbeat"),
)

NONE: Final = "none"
LOW: Final = "low"
MEDIUM: Final = "medium"
HIGH: Final = "high"

SEVERITIES: Final = (NONE, LOW, MEDIUM, HIGH)

# Infractions that endanger people, and those that cost fuel and wear; all others lie between.
_DANGEROUS: Final = re.compile(
    r"\b(?:over ?-?speed|speeding|excesso de velocidade|velocidade (excessiva|acima)|seat ?-?belt|cinto|celular|"
    r"cell ?phone|mobile phone|fadiga|fatigue|drows|red light|semaforo|contramao|wrong way)"
)
_WASTEFUL: Final = re.compile(
    r"\b(?:over ?-?rev|excesso de (rotacao|giro)|rpm excess|out of green band|fora da faixa (verde|economica)|"
    r"idle.*excess|excessive idl|marcha lenta excessiva|motor ligado parado|free ?wheel|coasting|banguela|ponto morto)"
)
_RULES: Final = tuple((family, re.compile(rf"\b(?:{words})")) for family, words in _WORDS)


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a type is taken for until a person decides."""

    family: str
    is_infraction: bool
    severity: str


def propose(description: str | None) -> Proposal:
    """From the description alone; a type without one is normal operation."""
    text = fold(description or "")
    for family, words in _RULES:
        if words.search(text):
            return Proposal(family=family, is_infraction=family == INFRACTION, severity=_severity(family, text))
    return Proposal(family=NORMAL, is_infraction=False, severity=NONE)


def _severity(family: str, text: str) -> str:
    if family == SAFETY:
        return HIGH
    if family != INFRACTION:
        return NONE
    if _DANGEROUS.search(text):
        return HIGH
    return LOW if _WASTEFUL.search(text) else MEDIUM


def fold(text: str) -> str:
    """Lower case, without accents, blanks folded."""
    plain = "".join(each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each))
    return " ".join(plain.casefold().split())
