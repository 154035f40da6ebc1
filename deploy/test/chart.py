"""Whether the Helm chart holds: chart.py CHART CERROJO

Helm's own library (helm-python-sdk) lints and renders it; Kubernetes' schemas (kubernetes-validate) judge what comes out.
"""

import json
import pathlib
import sys

import helm_python as helm
import kubernetes_validate
import yaml

import settings

chart, cerrojo = pathlib.Path(sys.argv[1]), sys.argv[2]
# From the oldest that Chart.yaml allows to the newest that there are schemas of.
VERSIONS = ["1.30", "1.33", "1.37"]
SECRETS = {"database.url": "postgres://cerrojo:geheim@db.example.com/cerrojo", "keys.master_key": "ab" * 32}
SECRETS["mail.url"] = "smtps://cerrojo:geheim@mail.example.com"


def values(name):
    return yaml.safe_load((chart / "ci" / f"{name}-values.yaml").read_text())


def render(given):
    """All objects, and the notes."""
    with helm.Chart.load(chart) as loaded:
        loaded.validate_schema(given)
        rendered = loaded.render(given, name="auth", namespace="accounts")
    notes = next(text for name, text in rendered.items() if name.endswith("NOTES.txt"))
    manifests = [text for name, text in rendered.items() if name.endswith(".yaml")]
    objects = [one for text in manifests for one in yaml.safe_load_all(text) if one]
    return {(one["kind"], one["metadata"]["name"]): one for one in objects}, notes


def refused(given, why):
    try:
        render(given)
    except helm.HelmError as error:
        assert why in str(error), error
        return
    raise AssertionError(f"accepted: {given}")


def judge(name, one):
    if one["apiVersion"].startswith("monitoring.coreos.com/"):
        return  # No schema of Kubernetes': it is the Prometheus operator's.
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(one, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            raise AssertionError(f"{name}, Kubernetes {version}: {one['kind']}: {error}") from error


def restricted(pod):
    """The profile `restricted` of Kubernetes' Pod Security Standards, and a little more."""
    assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False and pod["enableServiceLinks"] is False
    allowed = {"configMap", "emptyDir", "projected", "persistentVolumeClaim"}
    assert all(set(volume) - {"name"} <= allowed for volume in pod["volumes"])
    for container in pod["containers"]:
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False and context["readOnlyRootFilesystem"]
        assert context["capabilities"] == {"drop": ["ALL"]} and "privileged" not in context
        assert not any("hostPort" in port for port in container["ports"])


def fits(name, objects):
    """Objects that name each other do so rightly, and the server takes the settings that it is given."""
    (kind, called), workload = next(item for item in objects.items() if item[0][0] in ("Deployment", "StatefulSet"))
    pod = workload["spec"]["template"]["spec"]
    restricted(pod)
    labels = workload["spec"]["template"]["metadata"]["labels"]
    container = pod["containers"][0]
    ports = {port["name"] for port in container["ports"]}
    service = objects["Service", called]
    assert service["spec"]["selector"].items() <= labels.items(), name
    assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports, name
    for path in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[path]["httpGet"]["port"] in ports, path
    assert ("ServiceAccount", pod["serviceAccountName"]) in objects
    if (found := objects.get(("PodDisruptionBudget", called))) is not None:
        assert found["spec"]["selector"]["matchLabels"].items() <= labels.items(), name
    claims = {claim["metadata"]["name"] for claim in workload["spec"].get("volumeClaimTemplates", [])}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == claims | volumes.keys(), name

    mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    files = {}
    for source in volumes.get("secrets", {}).get("projected", {}).get("sources", []):
        for item in source["secret"]["items"]:
            files[f"{mounted['secrets']}/{item['path']}"] = SECRETS[item["path"]]
    environment = {one["name"]: one["value"] for one in container["env"]}
    toml = objects["ConfigMap", called]["data"]["cerrojo.toml"]
    if kind == "StatefulSet":
        environment["CERROJO_DATABASE__URL"] = "sqlite:/data/cerrojo.db"  # What the image's working directory makes it.
    shown = json.loads(settings.check(cerrojo, environment, toml, files))
    assert not any(secret in json.dumps(list(objects.values()), default=str) for secret in SECRETS.values()), name
    return kind, shown, pod


assert not [one for one in helm.lint(chart, values("postgresql"), strict=True)["messages"] if one["severity"] > 1]
for name in ("postgresql", "sqlite", "everything"):
    given = values(name)
    report = helm.lint(chart, given, strict=True, kube_version="v1.30.0")
    assert not report["errors"] and all(one["severity"] <= 1 for one in report["messages"]), report
    objects, notes = render(given)
    for one in objects.values():
        judge(name, one)
    kind, shown, pod = fits(name, objects)
    assert shown["server.public_url"]["value"] == given["publicUrl"], shown["server.public_url"]
    kinds = {key[0] for key in objects}
    if name == "sqlite":
        assert kind == "StatefulSet" and not kinds & {"Deployment", "PodDisruptionBudget"}, kinds
        assert "/data/master.key" in notes, notes
        assert objects["StatefulSet", "auth-cerrojo"]["spec"]["replicas"] == 1
    else:
        assert kind == "Deployment" and "PodDisruptionBudget" in kinds, kinds
        assert shown["database.url"]["value"] == "postgres://cerrojo:***@db.example.com/cerrojo", shown["database.url"]
        assert "create secret generic cerrojo-database" in notes, notes
    if name == "everything":
        assert {"Ingress", "NetworkPolicy", "ServiceMonitor"} <= kinds, kinds
        assert shown["password.argon2_memory_kib"]["value"] == "1048576", shown["password.argon2_memory_kib"]
        assert shown["roles.operator"]["value"] == "3" and shown["mail.url"]["origin"].startswith("file"), shown
        assert shown["metrics.listen"]["value"] == "0.0.0.0:9464"
    else:
        assert not {"Ingress", "NetworkPolicy", "ServiceMonitor"} & kinds, kinds
    print(f"{name}: {len(objects)} objects, as Kubernetes {', '.join(VERSIONS)} expect them")

# A changed setting makes pods anew.
checksum = "checksum/settings"
one, other = (render(values("postgresql") | extra)[0]["Deployment", "auth-cerrojo"]["spec"]["template"]["metadata"]["annotations"]
              for extra in ({}, {"settings": {"session": {"idle_timeout": "30m"}}}))
assert one[checksum] != other[checksum]

refused({}, "publicUrl")
refused(values("sqlite") | {"replicaCount": 2}, "replicaCount")
refused(values("postgresql") | {"masterKeySecret": {"name": "", "key": "k"}}, "masterKeySecret")
refused(values("postgresql") | {"replicas": 3}, "replicas")
refused(values("postgresql") | {"secretSettings": [{"setting": "database.url", "name": "x", "key": "y"}]}, "secretSettings")
print("what cannot work is refused by the schema of the values")
