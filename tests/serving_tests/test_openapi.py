"""OpenAPI and its page: generated from the contracts, and everything that they show really runs."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from edge.protocol import HEADER_LENGTH
from serving import openapi


@pytest.fixture(scope="module")
def document(client: TestClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/openapi.json").json()
    return found


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(method, path, operation) for path, methods in document["paths"].items() for method, operation in methods.items()]


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [value["$ref"]] if "$ref" in value else [found for item in value.values() for found in references(item)]
    return [found for item in value for found in references(item)] if isinstance(value, list) else []


def test_the_document_is_complete(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names)) == 7 + 3 * 13
    for model in ("tiny_digits", "tiny_rows", "tiny_pairs"):
        assert {f"/predict/{model}", f"/v2/models/{model}/infer", f"/v2/models/{model}/versions/1.0.0/infer"} <= set(document["paths"])
    for reference in references(document):
        assert reference.removeprefix("#/components/schemas/") in document["components"]["schemas"]
    for _, _, operation in operations(document):
        assert all(response["description"] for response in operation["responses"].values())


def test_every_get_answers(client: TestClient, document: dict[str, Any]) -> None:
    paths = [path for method, path, _ in operations(document) if method == "get"]
    assert len(paths) > 10
    assert {path: client.get(path).status_code for path in paths} == dict.fromkeys(paths, 200)


def test_every_example_runs(client: TestClient, document: dict[str, Any]) -> None:
    ran = 0
    for method, path, operation in operations(document):
        examples = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("examples", {})
        assert examples or method == "get" or path == "/v2/repository/index", path
        for example in examples.values():
            response = client.post(path, json=example["value"])
            assert response.status_code == 200, (path, response.text)
            schema = operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
            assert set(document["components"]["schemas"][schema]["required"]) <= set(response.json())
            ran += 1
    assert ran == 4 + 6


def test_the_refusals_and_ways_to_send_are_described(document: dict[str, Any]) -> None:
    predict = document["paths"]["/predict/tiny_rows"]["post"]
    assert {"400", "404", "405", "408", "413", "415", "429", "503", "504"} < set(predict["responses"])
    assert set(predict["requestBody"]["content"]) == {"application/json", "text/csv"}
    assert set(document["paths"]["/predict/tiny_pairs"]["post"]["requestBody"]["content"]) == {"application/json"}
    infer = document["paths"]["/v2/models/tiny_rows/infer"]["post"]
    assert [parameter["name"] for parameter in infer["parameters"]] == ["X-Request-Timeout-Ms", HEADER_LENGTH]


def test_tensors_are_described_as_the_contract_has_them(document: dict[str, Any]) -> None:
    schema = document["paths"]["/v2/models/tiny_digits/infer"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    [tensor] = schema["properties"]["inputs"]["items"]["oneOf"]
    assert tensor["properties"]["datatype"] == {"const": "UINT8"}
    assert tensor["properties"]["shape"]["prefixItems"] == [{"type": "integer", "minimum": 1}, {"const": 28}, {"const": 28}, {"const": 1}]
    assert tensor["properties"]["data"]["items"]["anyOf"][0] == {"type": "integer", "minimum": 0, "maximum": 255}
    assert "65536 bytes" in document["info"]["description"]


def test_large_samples_are_left_out(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openapi, "MAX_EXAMPLE_VALUES", 1)
    document = client.get("/openapi.json").json()
    body = document["paths"]["/v2/models/tiny_digits/infer"]["post"]["requestBody"]["content"]["application/json"]
    assert "examples" not in body
    assert "examples" not in document["paths"]["/predict/tiny_rows"]["post"]["requestBody"]["content"]["application/json"]
    assert "examples" in document["paths"]["/predict/tiny_digits"]["post"]["requestBody"]["content"]["application/json"]


def test_the_page_needs_nothing_from_elsewhere(client: TestClient) -> None:
    page = client.get("/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert not re.findall(r"(?:https?:)?//[a-z]", page.text)
    assert not re.findall(r"<(?:script|link|img|iframe)[^>]*(?:src|href)", page.text)
    assert client.get("/").headers["location"] == "/docs"


def test_the_script_of_the_page_is_valid(client: TestClient, tmp_path: Path) -> None:
    """Where node is at hand, it reads the script; the server works without it."""
    script = re.search(r"<script>(.*)</script>", client.get("/docs").text, re.DOTALL)
    assert script
    (tmp_path / "page.js").write_text(script[1], encoding="utf-8")
    try:
        checked = subprocess.run(["node", "--check", tmp_path / "page.js"], capture_output=True, text=True)
    except FileNotFoundError:
        pytest.fail("node is needed to read the page's script as a browser would")
    assert checked.returncode == 0, checked.stderr


def test_the_application_is_light() -> None:
    """Only the service module may import BentoML; nothing imports a training framework."""
    code = "import sys, serving.app; print([name for name in ('bentoml', 'torch', 'onnxruntime', 'PIL') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_metrics_speak_the_shared_vocabulary(client: TestClient) -> None:
    client.post("/predict/tiny_digits", json={"inputs": np.zeros((9, 9), int).tolist()})
    client.post("/v2/models/tiny_digits/infer", content=b"{")
    for i in range(30):
        client.get(f"/invented/{i}")
        client.get(f"/v2/models/invented_{i}")
        client.get(f"/v2/models/tiny_digits/versions/{i}.0.0")
    text = client.get("/metrics").text
    labels = 'model="tiny_digits",route="/predict/{model}",version="1.0.0"'
    assert re.search(rf'tandem_requests_total{{code="200",{labels}}} \d', text)
    assert re.search(
        r'tandem_errors_total{model="tiny_digits",reason="bad_input",route="/v2/models/{model}/infer",version="1.0.0"} \d', text
    )
    for stage in ("decode", "preprocess", "queue", "inference", "postprocess", "total"):
        assert re.search(rf'tandem_stage_seconds_bucket{{le="0.0001",model="tiny_digits",stage="{stage}",version="1.0.0"}} \d', text)
        assert re.search(rf'tandem_stage_seconds_count{{model="tiny_digits",stage="{stage}",version="1.0.0"}} [1-9]', text)
    assert 'tandem_model_ready{model="tiny_digits",version="1.0.0"} 1.0' in text
    assert 'provider="CPUExecutionProvider",runtime="onnxruntime"' in text
    assert "invented" not in text
    assert re.search(r'tandem_requests_total{code="404",model="",route="other",version=""} [3-9]\d', text)
    assert re.search(r'tandem_requests_total{code="404",model="other",route="/v2/models/{model}",version="other"} [3-9]\d', text)
