"""The manifests: valid, within Pod Security's "restricted", in step with the settings, and what they say starts."""

import base64
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dqmsquare.config import parse_config, setting_fields
from tests.shipping.clean_root import Image
from tests.shipping.conftest import ROOT
from tests.shipping.programs import Surroundings, free_port, get, jobs_of_newest_run, said, wait_for

VALIDATE = Path(sys.executable).with_name("kubernetes-validate")
FILES = ("k8_config_testbed.yaml", "k8_claim_testbed.yaml")
RESOURCES = [resource for name in FILES for resource in yaml.safe_load_all((ROOT / name).read_text())]
WORKLOADS = {r["metadata"]["name"]: r for r in RESOURCES if r["kind"] == "Deployment"}
SERVER = "dqm-square-mirror-server"
ROLES = {
    SERVER: "server",
    "dqm-square-mirror-grabber-production": "grabber_production",
    "dqm-square-mirror-grabber-playback": "grabber_playback",
}
SECRET_NAMES = {field.metadata["name"] for field in setting_fields() if field.metadata["secret"]}
SETTING_NAMES = {field.metadata["name"] for field in setting_fields()}


def one(kind: str) -> dict:
    [found] = [resource for resource in RESOURCES if resource["kind"] == kind]
    return found


def pod_of(name: str) -> dict:
    return WORKLOADS[name]["spec"]["template"]["spec"]


def containers_of(name: str) -> list[dict]:
    return [*pod_of(name).get("initContainers", []), *pod_of(name)["containers"]]


def secret_data() -> dict:
    return yaml.safe_load((ROOT / "k8_secret.yaml").read_text())["data"]


def encode(source: Path, output: Path) -> subprocess.CompletedProcess:
    return said(ROOT / "k8_encrypt_secret.sh", source, output)


def test_the_schemas_of_kubernetes_are_kept() -> None:
    ended = said(VALIDATE, "--strict", "--quiet", *(ROOT / name for name in FILES))

    assert (ended.returncode, ended.stdout) == (0, ""), ended.stderr


def test_the_names_are_those_that_cmsweb_knows() -> None:
    service, claim = one("Service"), one("PersistentVolumeClaim")

    assert {resource["metadata"]["namespace"] for resource in RESOURCES} == {"dqm"}
    assert (service["metadata"]["name"], service["spec"]["selector"]) == ("dqm-square-k8", {"app": SERVER})
    assert service["spec"]["ports"] == [{"name": "dqmsquare", "port": 8084, "targetPort": 8084}]
    assert (claim["metadata"]["name"], claim["spec"]["accessModes"]) == ("dqm-square-mirror-pvc", ["ReadWriteMany"])
    assert WORKLOADS.keys() == ROLES.keys()


def test_the_deployment_scripts_marks_are_there() -> None:
    text = (ROOT / FILES[0]).read_text()
    images = re.findall(r"image: .*", text)

    assert set(images) == {"image: registry.cern.ch/cmsweb/dqmsquare_mirror #imagetag"}
    assert text.count("env: k8s #k8s#") == len(WORKLOADS)


@pytest.mark.parametrize("name", ROLES)
def test_labels_select_the_pods_they_mean(name: str) -> None:
    workload, label = WORKLOADS[name], {"app": name}

    assert workload["spec"]["selector"]["matchLabels"] == label
    assert workload["spec"]["template"]["metadata"]["labels"].items() >= label.items()
    assert workload["spec"]["replicas"] >= 2
    assert {"minAvailable": 1, "selector": {"matchLabels": label}} in [
        resource["spec"] for resource in RESOURCES if resource["kind"] == "PodDisruptionBudget"
    ]


@pytest.mark.parametrize("name", ROLES)
def test_pod_security_restricted_is_kept(name: str) -> None:
    pod = pod_of(name)
    security = pod["securityContext"]

    assert security["runAsNonRoot"] is True
    assert (security["runAsUser"], security["runAsGroup"]) == (1000, 1000)
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert security["fsGroupChangePolicy"] == "OnRootMismatch"
    assert pod["automountServiceAccountToken"] is False
    assert not pod.keys() & {"hostNetwork", "hostPID", "hostIPC"}
    assert {kind for volume in pod["volumes"] for kind in volume if kind != "name"} <= {
        "secret", "emptyDir", "persistentVolumeClaim",
    }  # fmt: skip
    assert all("sizeLimit" in volume["emptyDir"] for volume in pod["volumes"] if "emptyDir" in volume)
    for container in containers_of(name):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"].keys() == {"requests", "limits"}


@pytest.mark.parametrize("name", ROLES)
def test_security_h4k_ports_probes_and_annotations_are_those_of_the_settings(name: str) -> None:
    environ = {"ENV": "testbed", "POSTGRES_HOST": "x", "PUBLIC_ID_KEY": "x" * 32, "DQM_FFF_SECRET": "x"}
    plain = {"CMSWEB_FRONTEND_PROXY_URL": "http://127.0.0.1"}  # without it the certificate's files must be there
    config = parse_config({**environ, **plain}, role=ROLES[name], as_root=False)
    template = WORKLOADS[name]["spec"]["template"]
    [container] = template["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}

    assert ports == {"monitoring": config.monitoring_port} | (
        {"dqmsquare": config.server_port} if name == SERVER else {}
    )
    assert template["metadata"]["annotations"] == {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(config.monitoring_port),
    }
    probes = {probe: container[probe]["httpGet"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert probes == {
        "startupProbe": {"path": "/healthz", "port": "monitoring"},
        "livenessProbe": {"path": "/healthz", "port": "monitoring"},
        "readinessProbe": {"path": "/readyz", "port": "monitoring"},
    }
    assert template["spec"]["terminationGracePeriodSeconds"] == 30


def test_security_h3k_only_pages_and_scrapes_come_in_and_only_what_is_needed_goes_out() -> None:
    policy = one("NetworkPolicy")["spec"]

    assert policy["podSelector"]["matchExpressions"][0]["values"] == list(ROLES)
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert [[port["port"] for port in rule["ports"]] for rule in policy["ingress"]] == [[8084], [18084, 18085, 18086]]
    selectors = [[name["namespaceSelector"]["matchLabels"] for name in rule["from"]] for rule in policy["ingress"]]
    assert selectors == [[{"kubernetes.io/metadata.name": name}] for name in ("kube-system", "monitoring")]
    assert policy["ingress"][0]["from"][0]["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "ingress-nginx"}
    assert [[port["port"] for port in rule["ports"]] for rule in policy["egress"]] == [[53, 53], [5432, 443]]


@pytest.mark.parametrize("name", ROLES)
def test_secrets_come_from_where_cmsweb_keeps_them(name: str) -> None:
    pod = pod_of(name)
    named = {volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume}

    assert named == {"robot-secrets"} | ({"hmac-secrets"} if name == SERVER else set())
    assert all(c["envFrom"] == [{"secretRef": {"name": "dqmsecret"}}] for c in containers_of(name))
    in_memory = {volume["name"] for volume in pod["volumes"] if volume.get("emptyDir", {}).get("medium") == "Memory"}
    assert in_memory == {"secrets-in-memory", "pod-tmp"}
    # A replica's own numbers: several share the claim, and they are mapped, which a full volume makes deadly.
    places = {mount["mountPath"]: mount["name"] for mount in pod["containers"][0]["volumeMounts"]}
    assert (places["/cinder/dqmsquare"], places["/cinder/dqmsquare/tmp"]) == ("log", "pod-tmp")


def test_every_setting_of_the_secret_exists_and_no_secret_stands_in_the_file() -> None:
    data = secret_data()

    assert data.keys() <= SETTING_NAMES
    assert all(isinstance(value, str) for value in data.values())
    assert {name: data[name] for name in data.keys() & SECRET_NAMES} == dict.fromkeys(
        data.keys() & SECRET_NAMES, "CHANGEME"
    )


# --------------------------------------------------------------------------------------------------- the secret's file


def test_a_secret_that_is_not_filled_in_is_refused(tmp_path: Path) -> None:
    ended = encode(ROOT / "k8_secret.yaml", tmp_path / "out.yaml")

    assert ended.returncode != 0
    assert "DQM_FFF_SECRET is still CHANGEME" in ended.stderr
    assert not (tmp_path / "out.yaml").exists()


def test_a_filled_in_secret_is_valid_and_says_the_same(tmp_path: Path) -> None:
    filled = (ROOT / "k8_secret.yaml").read_text().replace("CHANGEME", r'"p@ss: #\"\\ é"')
    (tmp_path / "in.yaml").write_text(filled)

    ended = encode(tmp_path / "in.yaml", tmp_path / "out.yaml")

    assert ended.returncode == 0, ended.stderr
    written = yaml.safe_load((tmp_path / "out.yaml").read_text())
    decoded = {name: base64.b64decode(value, validate=True).decode() for name, value in written["data"].items()}
    assert decoded == yaml.safe_load(filled)["data"]
    assert decoded["DQM_FFF_SECRET"] == 'p@ss: #"\\ é'
    assert (tmp_path / "out.yaml").stat().st_mode & 0o777 == 0o600
    assert said(VALIDATE, "--strict", "--quiet", tmp_path / "out.yaml").returncode == 0


@settings(max_examples=15, deadline=None)
@given(values=st.lists(st.text(st.characters(codec="utf-8"), max_size=12), min_size=1, max_size=30))
def test_any_character_survives(values: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("secret")
    data = {f"N{number}": value for number, value in enumerate(values)}
    text = "kind: Secret\ndata:\n" + "".join(f"  {name}: {quoted(value)}\n" for name, value in data.items())
    (folder / "in.yaml").write_text(text, encoding="utf-8")

    ended = encode(folder / "in.yaml", folder / "out.yaml")

    assert ended.returncode == 0, (ended.stderr, text)
    written = yaml.safe_load((folder / "out.yaml").read_text(encoding="utf-8"))["data"]
    assert {name: base64.b64decode(value or "").decode() for name, value in written.items()} == data


def quoted(value: str) -> str:
    """In single quotes where YAML takes that on one line, else in double ones with escapes."""
    if all(character.isprintable() for character in value):
        return "'" + value.replace("'", "''") + "'"
    escaped = "".join(f"\\u{ord(c):04x}" if not c.isprintable() and ord(c) < 0x10000 else c for c in value)
    return (
        '"' + "".join("\\" + c if c == '"' else c for c in escaped.replace("\\", "\\\\").replace("\\\\u", "\\u")) + '"'
    )


@pytest.mark.parametrize(
    "value", ["a: b", "*x", "&x", "[x]", "{x}", "|", ">", "%x", "@x", "`x", "'x", '"x', "'x' y", '"\\q"']
)
def test_what_yaml_would_read_otherwise_is_refused(value: str, tmp_path: Path) -> None:
    (tmp_path / "in.yaml").write_text(f"data:\n  NAME: {value}\n")

    ended = encode(tmp_path / "in.yaml", tmp_path / "out.yaml")

    assert ended.returncode != 0
    assert f"{tmp_path}/in.yaml:2: " in ended.stderr


# ------------------------------------------------------------------------------------------------------- it really starts


class Cluster:
    """Starts containers of the manifests as a kubelet would: command, variables, mounts, user, read-only root."""

    def __init__(self, image: Image, surroundings: Surroundings, **more: str) -> None:
        self.image = image
        self.surroundings = surroundings
        self.environ = {**secret_data(), **surroundings.settings, **surroundings.secrets, **more}
        self.environ = {name: value for name, value in self.environ.items() if value != "CHANGEME"}

    def start(self, name: str, container: dict, **ports: str):
        security, volumes = pod_of(name)["securityContext"], {v["name"]: v for v in pod_of(name)["volumes"]}
        user = security["runAsUser"]
        mounts = dict(self.surroundings.mounts)
        for mount in container["volumeMounts"]:
            mounts[mount["mountPath"]] = self._volume(volumes[mount["name"]], user)
        # A variable of the manifest's wins over the image's, as with envFrom.
        environ = {**self.image.environ, **self.environ, **ports}
        return self.surroundings.start(
            self.image.root.command(
                *container["command"], workdir=self.image.workdir, environ=environ, mounts=mounts, user=user
            )
        )

    def _volume(self, volume: dict, user: int) -> Path | None:
        if "emptyDir" in volume:
            return None
        if volume.get("secret", {}).get("secretName") == "robot-secrets":
            return self.surroundings.robot_folder(user)
        return self.surroundings.writable(volume["name"], user)


@pytest.mark.parametrize("prefix", ["dqm/dqm-square", "dqm/dqm-square-k8"])
def test_security_h5k_what_the_manifests_say_starts_and_answers(
    image: Image, surroundings: Surroundings, prefix: str
) -> None:
    cluster = Cluster(image, surroundings, SERVER_URL_PREFIX=prefix)
    for owner in ("production", "playback"):
        surroundings.place.rows("DROP SCHEMA mirror CASCADE", owner)
    grabber_name = "dqm-square-mirror-grabber-production"
    [upgrade], [grabber], [server] = (
        pod_of(grabber_name)["initContainers"],
        pod_of(grabber_name)["containers"],
        pod_of(SERVER)["containers"],
    )
    upgraded = cluster.start(grabber_name, upgrade)
    assert upgraded.process.wait(60) == 0, upgraded.output
    ports = {name: str(free_port()) for name in ("page", "server", "grabber")}
    started = [
        cluster.start(SERVER, server, MONITORING_PORT=ports["server"], SERVER_PORT=ports["page"]),
        cluster.start(grabber_name, grabber, MONITORING_PORT=ports["grabber"]),
    ]
    try:
        wait_for(lambda: jobs_of_newest_run(int(ports["page"]), f"/{prefix}"), "jobs are shown", 40)
    except AssertionError as error:
        raise AssertionError(surroundings.output()) from error
    for container, port in ((server, ports["server"]), (grabber, ports["grabber"])):
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            path = container[probe]["httpGet"]["path"]
            wait_for(partial(answers, int(port), path), probe)
        assert get(int(port), "/metrics")[0] == 200
    for one_started in started:
        shown = one_started.environ()
        assert one_started.status("Uid").split() == ["1000"] * 4
        assert not shown.keys() & SECRET_NAMES
        assert not [secret for secret in surroundings.secrets.values() if secret in str(shown)]
        assert {f"{name}_FILE" for name in surroundings.secrets} <= shown.keys()
        assert one_started.end() == 0
    assert (surroundings.folder / "log" / "log" / "server.log").exists()
    assert list((surroundings.folder / "log" / "tmp").iterdir()) == []  # the claim's own; the pod's lies on top


def answers(port: int, path: str) -> bool:
    return get(port, path)[0] == 200


def test_an_older_role_is_told_what_it_is_called_now(image: Image) -> None:
    for role, words in (("robber", "grabber production"), ("parser", "grabber production"), ("", "it takes server")):
        command = image.root.command("./dqmsquare_k8_wrapper.sh", role, workdir=image.workdir, environ=image.environ)
        ended = said(*command)
        assert (ended.returncode, words in ended.stderr) == (2, True), ended.stderr
