"""Names and addresses in the form they are compared in: one script, no accents, no legal forms."""

from __future__ import annotations

import re
from typing import Final

from anyascii import anyascii

#: Letters of other alphabets that look like Latin ones, and turn up inside Latin words.
_LOOKALIKES: Final = str.maketrans(
    "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧαορνАВЕКМНОРСТУХасеорху", "ABEZHIKMNOPTYXaopvABEKMHOPCTYXaceopxy"
)
_LATIN: Final = re.compile(r"[A-Za-z]")
_INNER_MARK: Final = re.compile(r"(?<=\w)[?'`´’\ufffd]+(?=\w)")
_NO_WORD: Final = re.compile(r"[^a-z0-9]+")
_UMLAUT: Final = re.compile(r"([aou])e+")
#: What a text in UTF-8 was taken for when its encoding was broken.
_MISREAD_AS: Final = ("cp1252", "mac_roman")

_LEGAL_FORMS: Final = """
ab|ab publ|ad|ae|ag|aisbl|aktiebolag|aktiengesellschaft|aktieselskab|aktsiaselts|amba|anonim sirketi|
anonymi etaireia|aps|as|asa|asbl|besloten vennootschap|bt|bv|bvba|co|company limited by guarantee|coop|
corp|corporation|cvba|dd|doo|dooel|drustvo s ogranicenom odgovornoscu|druzba z omejeno odgovornostjo|ead|
eg|ehf|eirl|eood|epe|etaireia periorismenis efthynis|eurl|ev|gbr|gesellschaft mit beschrankter haftung|
ggmbh|gie|gip|gmbh|gmbh co kg|hf|ike|inc|incorporated|ivzw|kda|kft|kg|kgaa|korlatolt felelossegu tarsasag|
ks|lbg|lda|limitada|limited|limited liability company|limited sirketi|llc|llp|ltd|ltd sti|ltda|mb|mbh|mtu|
naamloze vennootschap|nv|nyrt|ohg|ood|ops|osakeyhtio|osauhing|ou|oy|oyj|plc|
private company limited by shares|public limited company|ry|sa|sal|sapa|sarl|sas|sasu|sau|sc|sca|scarl|
scl|scop|scpa|scrl|se|sh pk|shpk|sia|sl|sll|slne|slp|slu|snc|sociedad anonima|sociedad cooperativa|
sociedad limitada|sociedade anonima|societa a responsabilita limitata|societa consortile|
societa cooperativa|societa per azioni|societate comerciala|societate pe actiuni|
societe a responsabilite limitee|societe anonyme|societe cooperative|societe par actions simplifiee|
sp z oo|sp zoo|spa|spj|spol sro|spolecnost s rucenim omezenym|spolka akcyjna|spolka jawna|
spolka z ograniczona odpowiedzialnoscia|sprl|spzoo|sr|srl|srls|srlu|sro|stg|tov|uab|ug|unipessoal|
uzdaroji akcine bendrove|vof|vsi|vvi|vzw|zrt|zs|zu
"""

#: Words many organisations have in their names, whatever their field: to share only these is not to be alike.
_COMMON: Final = """
a academy action advanced ag agence agencia agencija agency agenzia akademia akademie akademiet akademii
albania alliance and angewandte anonimi anonymos applications applied asociacion asociatia associacao
association associazione auf aus ausbildung austria authority automation azienda bei belgium board bulgaria
bulgarian business by c camara camera centar center centrale centre centro centrul centrum cercetare chamber
chambre circular city clinic club cluster college comercio commerce commercial commercio community company
comune concello confederation conseil consejo consorcio consortium consorzio consult consultants consulting
control cooperation council country creative croatia cyprus czech d da danmark dans das data de deel degli
dei del della delle den denmark department der des desarrollo desenvolvimento deutsche deutschland
development developpement dezvoltare di die digital din direction do dos drustvo du e ecole eesti el
electric em empresa en engineering enterprise equipment es espana espanola estonia et etaireia etairia
europa europe european europeen europeenne europeo faculty fakulta fakultet federal federation federazione
finland fondation fondazione for formation forschung forschungszentrum forskning forum foundation france
fuer fundacio fundacion fundacja fur gemeinde gemeinnutzige general germany gesellschaft global gmina greece
green group groupe grup grupo grupp gruppe haftungsbeschrankt handelskammer hellas hochschule holding hub
hungary i iceland ideas il im impact in industria industrial industrie industries industry informatica
information infrastructure ingenieria ingenierie ingenieros innovacion innovatie innovation innovations
innovative innovazione ins instituo institut institute instituto institutul instituut instruments instytut
integrated intelligent interdisciplinary international internationale investigacao investigacion ireland
istituto it italia italiana italy its kai kereskedelmi kommune kozpont l la lab laboratories laboratory labs
latvia latvijas le les lietuvos life lithuania los luxembourg magyar malta management manufacturing market
md ministere ministerio ministerstvo ministerul ministry moldova municipality municipio na nacional national
nationale nauk nazionale nederland netherlands network networks new nonprofit nord norge novi o of office
oficina og on online open organisation organization para parc park parque partner partners partnership
pentru per podjetje poland policy politechnika politecnico polska por portugal pour power prefecture privada
production products program project projects public quality razvoj rd recerca recherche red region regional
regionale regione republic research resources ricerca ricerche romania royal rozwoju s sanayi school science
sciences scientific scientifique sektion serbia service services servicios servizi si sistemas sistemi
slovakia slovenia slovenije slovenskej smart societa societe society solutions spain stad stadt state
statens stichting stiftelsen stiftung studi studies studio su sul sverige sveuciliste sviluppo sweden swiss
system systeme systemes systems szkola tech technical technik technique technische technologia technologias
technological technologie technologies technology tecnologia tecnologias tecnologica tecnologico tecnologie
testing the ticaret trade transfer trust turkey turkiye u uk ukraine ukrainian un und union universidad
universidade universita universitaet universitaire universitat universitatea universite universiteit
universitesi universitet universitetet university univerza univerzita univerzitet uniwersytet usluge ustav v
van ve verein vereniging vocational von voor w wirtschaft y z za zavod zentrum zu zur
"""


def words_of(text: str) -> tuple[str, ...]:
    """The words in small Latin letters and digits, letters of an abbreviation drawn together.

    Applied to its own words again it changes nothing. What has no letter or digit stays as it is.
    """
    words = tuple(_once(text))
    while (again := tuple(_once(" ".join(words)))) != words:
        words = again
    return words or tuple(text.casefold().split())


def name_of(text: str) -> tuple[str, ...]:
    """The words of an organisation's name without its legal form, unless it is all there is."""
    words = words_of(text)
    while words != (shorter := words_of(" ".join(_without_legal_form(words)) or " ".join(words))):
        words = shorter
    return words


def _once(text: str) -> list[str]:
    folded = _INNER_MARK.sub("", _latin(_readable(text))).lower()
    drawn_together: list[str] = []
    in_letters = False
    for word in filter(None, _NO_WORD.split(folded)):
        is_letter = len(word) == 1 and word.isalpha()
        if is_letter and in_letters:
            drawn_together[-1] += word
        else:
            drawn_together.append(word)
        in_letters = is_letter
    # ae, oe and ue are how ä, ö, ø and ü are written without them.
    return [_UMLAUT.sub(r"\1", word) if len(word) > 3 else word for word in drawn_together]


def _readable(text: str) -> str:
    if text.isascii():
        return text
    for encoding in _MISREAD_AS:
        try:
            return text.encode(encoding).decode()
        except UnicodeError:
            continue
    return text


def _latin(text: str) -> str:
    if text.isascii():
        return text
    mended = (word.translate(_LOOKALIKES) if _LATIN.search(word) else word for word in text.split())
    return anyascii(" ".join(mended))


def _without_legal_form(words: tuple[str, ...]) -> list[str]:
    kept: list[str] = []
    position = 0
    while position < len(words):
        length = next((n for n in _LENGTHS if words[position : position + n] in _FORMS), 0)
        if not length:
            kept.append(words[position])
        position += length or 1
    return kept


_FORMS: Final = frozenset(words_of(form) for form in _LEGAL_FORMS.replace("\n", "").split("|"))
_LENGTHS: Final = sorted({len(form) for form in _FORMS}, reverse=True)

COMMON: Final = frozenset(word for text in _COMMON.split() for word in words_of(text))
"""Words that say little about which organisation it is."""
