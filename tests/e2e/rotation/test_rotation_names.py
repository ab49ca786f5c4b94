"""Keys that rotate may be called as programs want them, alike in several bundles, and be in the
Secret as parts of texts alone; their values are what programs want too."""

import json
import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.kubelet import fingerprint, fingerprints
from tests.e2e.operator_release import OperatorRelease
from tests.e2e.process import Run, wait_until
from tests.e2e.rotating import ROTATED, Rotating, stored
from tests.e2e.rotation.test_rotation_killed import Deaths
from tests.e2e.rotation_journey import LAYOUTS, Journey, in_each_layout, journeys
from tests.e2e.stores import Stores

GENERATED = {"by": "generate", "every": "90d", "grace": "7d"}
WITH_OVERLAP = {"description": "signs", "rotate": {**GENERATED, "overlap": "1h"}}
ALONE = {"description": "a password", "rotate": {**GENERATED, "length": 24, "symbols": "-!"}}
CIPHERS = {
    "cipherKey": {**GENERATED, "alphabet": "hex", "length": 32, "overlap": "1h"},
    "COOKIE_KEY": {**GENERATED, "alphabet": "base64"},
    "salt": {**GENERATED, "alphabet": "base64", "bytes": 16},
    "installation": {**GENERATED, "alphabet": "uuid", "overlap": "1h"},
}
FORMS = {
    "cipherKey": r"[0-9a-f]{32}",
    "COOKIE_KEY": r"[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=",
    "salt": r"[A-Za-z0-9+/]{21}[AQgw]==",
    "installation": r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
}
HIDDEN, URL = "REDIS_PASSWORD", "REDIS_URL"
AROUND = 'redis://:{}@redis:6379/0?note=100%25&"{{{{ `x` }}}}"'
REDIS_JSON = f'{{"password": ${{{HIDDEN}|json}}, "key": ${{api.key|json}}}}'
CATALOGUE = {
    "bundles": {
        "ledger": {
            "secret": "ledger-env",
            "keys": {
                "JWT_SECRET": WITH_OVERLAP,
                "api.key": ALONE,
                "adminPassword": WITH_OVERLAP,
                HIDDEN: {**ALONE, "hidden": True},
            },
            "texts": {URL: AROUND.format(f"${{{HIDDEN}|url}}"), "redis.json": REDIS_JSON},
        },
        "mirror": {"secret": "mirror-env", "keys": {"JWT_SECRET": WITH_OVERLAP}},
        "ciphers": {
            "secret": "ciphers-env",
            "keys": {key: {"description": "a cipher's", "rotate": CIPHERS[key]} for key in CIPHERS},
        },
    },
    "services": {
        name: {"workload": f"Deployment/{name}", "reads": [name]}
        for name in ("ledger", "mirror", "ciphers")
    },
}
KEYS = {
    ("ledger", "JWT_SECRET"): ("JWT_SECRET_NEXT", "JWT_SECRET_PREVIOUS"),
    ("ledger", "adminPassword"): ("adminPasswordNext", "adminPasswordPrevious"),
    ("ledger", "api.key"): (),
    ("ledger", HIDDEN): (),
    ("mirror", "JWT_SECRET"): ("JWT_SECRET_NEXT", "JWT_SECRET_PREVIOUS"),
    ("ciphers", "cipherKey"): ("cipherKeyNext", "cipherKeyPrevious"),
    ("ciphers", "COOKIE_KEY"): (),
    ("ciphers", "salt"): (),
    ("ciphers", "installation"): ("installation-next", "installation-previous"),
}


@pytest.fixture(scope="module")
def made(
    run: Run, cluster: Cluster, stores: Stores, operator: OperatorRelease
) -> Iterator[dict[str, Journey]]:
    settings = in_each_layout("names", CATALOGUE)
    with journeys(run, cluster, stores, operator, settings) as found:
        yield found


def held(journey: Journey) -> dict[tuple[str, str], str]:
    """The fingerprints of what the store holds for the keys and what is derived from them."""
    place = journey.place
    return {
        (bundle, name): fingerprint(stored(place.stores, place.settings, bundle, name))
        for bundle, key in KEYS
        for name in (key, *KEYS[bundle, key])
    }


def url(place: Rotating) -> str:
    """The fingerprint of the text that the hidden key's value in the store makes."""
    value = stored(place.stores, place.settings, "ledger", HIDDEN)
    return fingerprint(AROUND.format(quote(value, safe="-_.~")))


def test_a_value_in_texts_alone_is_killed_at_every_step_and_one_new_one_is_in_all_of_them(
    made: dict[str, Journey],
) -> None:
    journey = made["bundle"]
    place, before = journey.place, url(journey.place)
    since = len(place.kubelet.happenings)
    journey.next_rotation()
    key = f"--key={place.settings.catalogue.key_id(HIDDEN)}"
    deaths = Deaths(place, whens=("after",))
    asked = key, f"--asked-at={journey.day.isoformat()}"
    runs = journey.rotate_until_done(*asked, meddle=deaths.at_changes)
    assert runs[-1].code == ROTATED, runs[-1].text
    for step in ("staged", "promote", "promoted"):
        assert any(f"rotation-{step}-" in name for name, _ in deaths.died), step
    happened = place.kubelet.of(place.namespace, since=since)
    after = url(place)
    assert {one.values[URL] for one in happened if URL in one.values} <= {before, after}
    assert before != after
    assert {pod.values[URL] for pod in place.readers(URL)} == {after}
    secret = place.cluster.api.get("v1", "Secret", "ledger-env", place.namespace)
    values = (stored(place.stores, place.settings, "ledger", one) for one in (HIDDEN, "api.key"))
    password, api_key = (json.dumps(value) for value in values)
    json_text = fingerprint(f'{{"password": {password}, "key": {api_key}}}')
    assert fingerprints(secret or {})["redis.json"] == json_text
    assert HIDDEN not in fingerprints(secret or {})


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_key_rotates_in_its_own_secret_under_its_own_names(
    made: dict[str, Journey], layout: str
) -> None:
    journey = made[layout]
    place, before = journey.place, held(journey)
    journey.next_rotation()
    done = journey.rotate(*(f"--key={place.settings.catalogue.key_id('/'.join(k))}" for k in KEYS))
    assert done.code == ROTATED, done.text
    rotated = "ledger/JWT_SECRET, ledger/api.key, ledger/adminPassword, ledger/REDIS_PASSWORD, "
    assert f"rotated: {rotated}mirror/JWT_SECRET, ciphers/cipherKey" in done.verdict
    after = held(journey)
    assert len({after[key] for key in KEYS}) == len(KEYS)
    for (bundle, key), derived in KEYS.items():
        assert after[bundle, key] != before[bundle, key]
        wanted = {key: after[bundle, key]}
        if key == HIDDEN:
            key, wanted = URL, {URL: url(place)}
        if derived:
            wanted |= dict(zip(derived, (after[bundle, key], before[bundle, key]), strict=True))
        secrets = [f"{bundle}-env", *([f"{bundle}-env-overlap"] if layout == "per-key" else [])]
        found = [place.cluster.api.get("v1", "Secret", one, place.namespace) for one in secrets]
        shown = {name: value for one in found for name, value in fingerprints(one or {}).items()}
        assert {name: shown[name] for name in wanted} == wanted
        wait_until(
            lambda k=key, b=bundle, wanted=wanted: (
                {
                    pod.values[k]
                    for pod in place.kubelet.running(place.namespace)
                    if pod.workload == f"Deployment/{b}"
                }
                == {wanted[k]}
            ),
            f"the readers of {bundle}/{key} have its new value",
            timeout_seconds=60,
        )
    wait_until(lambda: not place.one_shots, "nothing is left", timeout_seconds=60)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_new_value_has_the_length_and_the_symbols_that_were_asked_for(
    made: dict[str, Journey], layout: str
) -> None:
    place = made[layout].place
    value = stored(place.stores, place.settings, "ledger", "api.key")
    counts = len(value), sum(letter in "-!" for letter in value)
    assert counts == (24, 3)
    assert all(letter in "-!" or letter.isalnum() for letter in value)


@pytest.mark.parametrize("key", FORMS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_new_value_has_the_form_that_was_asked_for(
    made: dict[str, Journey], layout: str, key: str
) -> None:
    place = made[layout].place
    value = stored(place.stores, place.settings, "ciphers", key)
    assert re.fullmatch(FORMS[key], value), "it has another form"
