"""Whether the compose file fits the server: compose.py CONFIG.json FOLDER CERROJO"""

import ipaddress
import json
import pathlib
import sys

import settings

config, folder, cerrojo = json.loads(pathlib.Path(sys.argv[1]).read_text()), pathlib.Path(sys.argv[2]), sys.argv[3]
services = config["services"]
nodes = {name: service for name, service in services.items() if name.startswith("node-")}
assert len(nodes) == 2, nodes.keys()
secrets = {f"/run/secrets/{name}": pathlib.Path(secret["file"]).read_text() for name, secret in config["secrets"].items()}

environments = [node["environment"] for node in nodes.values()]
assert environments[0] == environments[1], "the nodes have different settings"
image = {"CERROJO_SERVER__LISTEN": "0.0.0.0:4000"}
shown = json.loads(settings.check(cerrojo, image | environments[0], files=secrets))
assert shown["database.url"]["value"] == "postgres://cerrojo:***@database/cerrojo?sslmode=disable", shown["database.url"]
assert shown["keys.master_key_file"]["origin"].startswith("env"), shown["keys.master_key_file"]
networks = {name: [network for network in (service.get("networks") or {}).values() if network] for name, service in services.items()}
static = {name: network["ipv4_address"] for name, all in networks.items() for network in all if "ipv4_address" in network}
assert static == {"proxy": shown["server.trusted_proxies"]["value"]}, "the nodes believe another proxy than the one there is"
pool = config["networks"]["inside"]["ipam"]["config"][0]
subnet, given_out = ipaddress.ip_network(pool["subnet"]), ipaddress.ip_network(pool["ip_range"])
assert given_out.subnet_of(subnet), pool
for name, address in static.items():
    # Docker would give it to a container that starts before.
    assert ipaddress.ip_address(address) in subnet and ipaddress.ip_address(address) not in given_out, (name, address, pool)

password = secrets["/run/secrets/database-password"].strip()
assert len(password) == 64 and f":{password}@" in secrets["/run/secrets/database-url"], "the passwords differ"
for name, service in services.items():
    assert service.get("healthcheck", {}).get("test"), f"{name} has no health check"
    # Each named secret is one that there is, and nothing secret is in the environment.
    assert {one["source"] for one in service.get("secrets", [])} <= config["secrets"].keys(), name
    assert password not in json.dumps(service), name
for name, node in nodes.items():
    assert node["depends_on"]["database"]["condition"] == "service_healthy", name
    assert node["read_only"] and node["cap_drop"] == ["ALL"] and "ports" not in node, name
    assert {mount["target"] for mount in node["volumes"]} == {"/data"}, name
assert len({node["volumes"][0]["source"] for node in nodes.values()}) == 2, "the nodes share a volume"
published = [port.get("host_ip") for service in services.values() for port in service.get("ports", [])]
assert published == ["127.0.0.1"], published
for path in (folder / "secrets").iterdir():
    assert path.stat().st_mode & 0o777 == 0o400, path
print("two nodes, one database, one proxy; their settings are right")
