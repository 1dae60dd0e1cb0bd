"""Runs by their address on the hub, against a server of this machine."""

import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest

from sbirctl.sharing import hub as sharing_hub
from sbirctl.sharing.hub import Address, parse
from sbirctl.training.find import refuse_changed
from tests.cli import hub_server


@pytest.fixture
def two(furnished, tmp_path, monkeypatch, capfd):
    """Two people with a home each: the sender has an evaluated run, both have the data.

    Gives `sender` and `receiver`, which call a command there, and `run`, the name.
    """
    from sbirctl.cli import _app

    run = furnished.runs[0]
    for name in ("sender", "receiver"):
        (tmp_path / name / "runs").mkdir(parents=True)
        (tmp_path / name / "datasets").symlink_to(furnished.home / "datasets")
    shutil.copytree(furnished.home / "runs" / run, tmp_path / "sender" / "runs" / run)
    monkeypatch.chdir(tmp_path)

    def at(home):
        def call(*words):
            refuse_changed.cache_clear()
            monkeypatch.setenv("SBIRCTL_HOME", str(tmp_path / home))
            capfd.readouterr()
            status = _app.run([str(word) for word in words])
            return status, *capfd.readouterr()

        return call

    found = SimpleNamespace(sender=at("sender"), receiver=at("receiver"), run=run, root=tmp_path)
    assert found.sender("evaluate", run)[0] == 0
    return found


@pytest.fixture
def pushed(two, hub):
    status, out, err = two.sender("models", "push", two.run, "ada/small", "--no-onnx")
    assert status == 0, err
    assert out == f"hf://ada/small@{hub.repos['ada/small'].refs['main']}\n"
    return two


def pulled_folder(two):
    (folder,) = (two.root / "receiver" / "runs").iterdir()
    return folder


def test_an_address_is_told_from_a_name():
    assert parse("hf://ada/small") == parse("hf:/ada/small") == Address("ada/small")
    assert parse("hf://ada/small@v1") == Address("ada/small", "v1")
    assert str(Address("ada/small", "v1")) == "hf://ada/small@v1"
    assert parse("baseline-cg") is None


@pytest.mark.parametrize(
    "text", ["hf://small", "hf://ada/../x", "hf://ada/small@", "hf:ada/small", "hf://a/b@../c"]
)
def test_what_begins_as_an_address_and_is_none_is_refused(two, text):
    status, _, err = two.receiver("evaluate", text)
    assert status == 2
    assert "OWNER/NAME" in err


def test_what_was_pushed_is_evaluated_by_its_address_and_says_where_it_came_from(pushed, hub):
    own = json.loads(pushed.sender("evaluate", pushed.run, "--json")[1])
    status, out, err = pushed.receiver("evaluate", "hf://ada/small", "--json")
    assert status == 0, err
    assert "pulling hf://ada/small" in err
    theirs = json.loads(out)
    assert theirs["metrics"] == own["metrics"]
    assert theirs["provenance"] == own["provenance"]
    (row,) = json.loads(pushed.receiver("runs", "--json")[1])["rows"]
    assert row["origin"].startswith("hf://ada/small (commit ")
    assert row["run"].startswith(pushed.run)
    from sbirctl.cli._names import addresses

    assert addresses() == [("hf://ada/small", row["run"])]


def test_a_pulled_run_is_not_the_newest_of_ones_own(pushed):
    assert pushed.receiver("models", "pull", "hf://ada/small")[0] == 0
    status, _, err = pushed.receiver("evaluate", "@1")
    assert status == 3
    assert "0 are finished" in err


def test_once_pulled_no_network_is_needed(pushed, hub, monkeypatch):
    from huggingface_hub import constants

    assert pushed.receiver("models", "pull", "hf://ada/small")[0] == 0
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    hub.requests.clear()
    assert pushed.receiver("evaluate", "hf://ada/small")[0] == 0
    assert hub.requests == []
    status, _, err = pushed.receiver("evaluate", "hf://ada/other")
    assert status == 3
    assert "HF_HUB_OFFLINE is set" in err
    assert "sbirctl models pull hf://ada/other" in err


def test_a_server_that_is_gone_is_said_and_what_was_pulled_is_used(pushed, monkeypatch):
    from huggingface_hub import constants

    assert pushed.receiver("models", "pull", "hf://ada/small")[0] == 0
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert pushed.receiver("evaluate", "hf://ada/small")[0] == 0
    status, _, err = pushed.receiver("evaluate", "hf://ada/other")
    assert status == 3
    assert "cannot be reached" in err


def test_a_moved_branch_is_said_and_the_pulled_commit_stays(pushed, hub, monkeypatch):
    assert pushed.receiver("models", "pull", "hf://ada/small")[0] == 0
    first = hub.repos["ada/small"].refs["main"]
    hub.repos["ada/small"].commit({**hub.files("ada/small"), "README.md": b"edited"})
    now = hub.repos["ada/small"].refs["main"]
    _, _, err = pushed.receiver("evaluate", "hf://ada/small")
    assert f"is commit {now[:12]} by now" in err
    assert f"{first[:12]}, which was pulled, is used" in err
    hub.requests.clear()
    assert f"commit {now[:12]} by now" in pushed.receiver("evaluate", "hf://ada/small")[2]
    assert hub.requests == []  # asked once an hour
    assert pushed.receiver("models", "pull", "hf://ada/small")[0] == 0
    assert "by now" not in pushed.receiver("evaluate", "hf://ada/small")[2]
    assert pulled_folder(pushed).is_dir()  # the same files: the same folder


def test_a_moved_branch_stays_known_without_a_network(pushed, hub, monkeypatch):
    from datetime import timedelta

    from huggingface_hub import constants

    assert pushed.receiver("models", "pull", "hf://ada/small")[0] == 0
    hub.repos["ada/small"].commit({**hub.files("ada/small"), "README.md": b"edited"})
    now = hub.repos["ada/small"].refs["main"]
    assert "by now" in pushed.receiver("evaluate", "hf://ada/small")[2]
    monkeypatch.setattr(sharing_hub, "_ASK_AGAIN", timedelta(0))
    with monkeypatch.context() as without:
        without.setattr(constants, "HF_HUB_OFFLINE", True)
        assert f"is commit {now[:12]} by now" in pushed.receiver("evaluate", "hf://ada/small")[2]
    with monkeypatch.context() as without:
        without.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
        assert f"is commit {now[:12]} by now" in pushed.receiver("evaluate", "hf://ada/small")[2]


def test_offline_puts_no_question_off(pushed, hub, monkeypatch):
    from huggingface_hub import constants

    assert pushed.receiver("models", "pull", "hf://ada/small")[0] == 0
    with monkeypatch.context() as without:
        without.setattr(constants, "HF_HUB_OFFLINE", True)
        assert pushed.receiver("evaluate", "hf://ada/small")[0] == 0
    hub.repos["ada/small"].commit({**hub.files("ada/small"), "README.md": b"edited"})
    assert "by now" in pushed.receiver("evaluate", "hf://ada/small")[2]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left while writing"),
        (RuntimeError("write failed: full (os error 28)"), "No space left while writing"),
        (PermissionError(errno.EACCES, "Permission denied", "/there"), "/there: Permission denied"),
    ],
)
def test_what_the_disk_refuses_is_not_the_hub_s_fault(pushed, monkeypatch, error, said):
    import huggingface_hub

    def refused(*_, **__):
        raise error

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", refused)
    status, _, err = pushed.receiver("models", "pull", "hf://ada/small")
    assert status == 1
    assert said in " ".join(err.split())
    assert "cannot be reached" not in err


def test_a_first_evaluate_refuses_what_is_no_run(pushed, hub):
    files = hub.files("ada/small")
    files["result.json"] = b'{"finished": "never"}'
    listed = json.loads(files["sbirctl.json"])
    digest = hashlib.sha256(files["result.json"]).hexdigest()
    listed["files"]["result.json"] = {"bytes": len(files["result.json"]), "sha256": digest}
    files["sbirctl.json"] = json.dumps(listed).encode()
    status, _, err = pushed.receiver("evaluate", "hf://ada/small")
    assert status == 5
    assert "hf://ada/small is refused" in err
    assert "Nothing of it was kept" in err
    assert list((pushed.root / "receiver" / "runs").iterdir()) == []


def test_a_commit_made_meanwhile_is_not_written_over(pushed, hub, monkeypatch):
    import huggingface_hub

    real = huggingface_hub.HfApi.create_commit

    def late(*given, **more):
        hub.repos["ada/small"].commit({**hub.files("ada/small"), "README.md": b"edited"})
        return real(*given, **more)

    monkeypatch.setattr(huggingface_hub.HfApi, "create_commit", late)
    words = ("models", "push", pushed.run, "ada/small", "--no-onnx", "--licence", "mit")
    status, _, err = pushed.sender(*words)
    assert status == 1
    assert "hf://ada/small was changed meanwhile" in err
    assert hub.files("ada/small")["README.md"] == b"edited"


def test_a_commit_cannot_move_and_is_not_asked_for(pushed, hub):
    commit = hub.repos["ada/small"].refs["main"]
    assert pushed.receiver("models", "pull", f"hf://ada/small@{commit}")[0] == 0
    hub.requests.clear()
    assert pushed.receiver("evaluate", f"hf://ada/small@{commit}")[0] == 0
    assert hub.requests == []


def test_a_file_changed_on_the_server_is_refused_with_both_digests(pushed, hub):
    files = hub.files("ada/small")
    data = bytearray(files["checkpoint.safetensors"])
    data[-1] ^= 1
    files["checkpoint.safetensors"] = bytes(data)
    status, _, err = pushed.receiver("models", "pull", "hf://ada/small")
    assert status == 5
    listed = json.loads(files["sbirctl.json"])["files"]["checkpoint.safetensors"]["sha256"]
    assert listed[:12] in err
    assert hashlib.sha256(data).hexdigest()[:12] in err
    assert list((pushed.root / "receiver" / "runs").iterdir()) == []


def test_a_longer_file_is_not_fetched(pushed, hub):
    hub.files("ada/small")["config.toml"] += b"#" * 100_000
    hub.requests.clear()
    status, _, err = pushed.receiver("models", "pull", "hf://ada/small")
    assert status == 5
    assert "config.toml of hf://ada/small has 1" in err
    assert not any(r.startswith("GET") and r.endswith("config.toml") for r in hub.requests)


def test_a_file_changed_in_the_home_is_refused_by_address_name_and_folder(pushed):
    assert pushed.receiver("models", "pull", "hf://ada/small")[0] == 0
    folder = pulled_folder(pushed)
    (folder / "config.toml").write_text("size = 8\n")
    named = [("evaluate", name) for name in ("hf://ada/small", folder.name, folder)]
    for words in (*named, ("embed", folder / "checkpoint.safetensors")):
        status, _, err = pushed.receiver(*words)
        assert status == 5
        assert "config.toml of hf://ada/small has SHA-256" in err
        assert f"sbirctl runs rm {folder.name}" in err
    assert pushed.receiver("runs", "rm", "hf://ada/small")[0] == 0
    assert pushed.receiver("evaluate", "hf://ada/small")[0] == 0


def test_a_damaged_record_of_another_run_is_not_in_the_way(pushed):
    from sbirctl.cli._names import addresses

    assert pushed.receiver("models", "pull", "hf://ada/small")[0] == 0
    folder = pulled_folder(pushed)
    shutil.copytree(folder, folder.with_name("other-00000000"))
    (folder.with_name("other-00000000") / "origin.json").write_text("{")
    assert pushed.receiver("evaluate", "hf://ada/small")[0] == 0
    assert addresses() == [("hf://ada/small", folder.name)]
    status, _, err = pushed.receiver("evaluate", "other-00000000")
    assert status == 5
    assert "sbirctl runs rm other-00000000" in err


def test_private_until_it_is_said_otherwise(pushed, hub, monkeypatch):
    assert hub.repos["ada/small"].private
    two = pushed
    assert two.sender("models", "push", two.run, "ada/open", "--public", "--no-onnx")[0] == 0
    assert not hub.repos["ada/open"].private
    monkeypatch.delenv("HF_TOKEN")
    assert two.receiver("models", "pull", "hf://ada/open")[0] == 0
    status, _, err = two.receiver("models", "pull", "hf://ada/small")
    assert status == 3
    assert "hf auth login" in err
    status, _, err = two.sender("models", "push", two.run, "ada/third", "--no-onnx")
    assert status == 1
    assert "401" in err


def test_nothing_becomes_public_unsaid(pushed, hub):
    hub.repos["ada/small"].private = False
    before = dict(hub.files("ada/small"))
    words = ("models", "push", pushed.run, "ada/small", "--no-onnx", "--licence", "mit")
    status, _, err = pushed.sender(*words)
    assert status == 2
    assert "is public" in err
    assert hub.files("ada/small") == before
    assert pushed.sender(*words, "--public")[0] == 0
    assert hub.files("ada/small") != before


def test_what_else_lies_in_a_repository(pushed, hub):
    files = hub.files("ada/small")
    files["notes.txt"] = b"x"
    assert "left on the hub: notes.txt" in pushed.receiver("models", "pull", "hf://ada/small")[2]
    hub.repos["ada/other"] = hub_server.Repo(private=False)
    hub.repos["ada/other"].commit({"model.bin": b"x"})
    status, _, err = pushed.receiver("models", "pull", "hf://ada/other")
    assert status == 3
    assert "no run of sbirctl" in err
    status, _, err = pushed.sender("models", "push", pushed.run, "ada/other", "--no-onnx")
    assert status == 2
    assert hub.files("ada/other") == {"model.bin": b"x"}


def test_a_push_replaces_what_an_earlier_one_left(pushed, hub):
    hub.files("ada/small")["onnx-0123456789ab/photo.onnx"] = b"old"
    assert pushed.sender("models", "push", pushed.run, "ada/small", "--no-onnx")[0] == 0
    assert "onnx-0123456789ab/photo.onnx" not in hub.files("ada/small")


def test_no_such_repository_or_revision(pushed):
    status, _, err = pushed.receiver("models", "pull", "hf://ada/none")
    assert status == 3
    assert "shows no model ada/none" in err
    status, _, err = pushed.receiver("models", "pull", "hf://ada/small@v9")
    assert status == 3
    assert "no revision 'v9'" in err


@pytest.mark.parametrize("name", ["ada/a--b", "ada/a.", "ada/a.git"])
def test_a_name_that_the_hub_does_not_take_is_wrongly_typed(pushed, hub, name):
    hub.requests.clear()
    status, _, err = pushed.receiver("models", "pull", f"hf://{name}")
    assert status == 2
    assert f"{name} is no name" in err
    assert hub.requests == []


@pytest.mark.parametrize("step", ["validate", "commit"])
def test_what_the_hub_has_against_a_page_is_said(pushed, monkeypatch, step):
    said = '"license" must be one of [apache-2.0, mit]'

    def refuse(handler, *_):
        handler._json(400, {"error": said, "errors": [{"message": said}]})

    monkeypatch.setattr(hub_server._Handler, step, refuse)
    status, _, err = pushed.sender("models", "push", pushed.run, "ada/small", "--no-onnx")
    assert status == 1
    assert said in " ".join(err.split())
    assert "cannot be reached" not in err


def test_a_stopped_pull_goes_on(pushed, hub, monkeypatch):
    import huggingface_hub

    real = huggingface_hub.hf_hub_download

    def stopped(repo, name, **more):
        if name == "result.json":
            raise ConnectionError("the line is cut")
        return real(repo, name, **more)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", stopped)
    status, _, err = pushed.receiver("models", "pull", "hf://ada/small")
    assert status == 3
    assert "the line is cut" in err
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", real)
    hub.requests.clear()
    assert pushed.receiver("models", "pull", "hf://ada/small")[0] == 0
    fetched = [r for r in hub.requests if r.startswith("GET") and "/resolve/" in r]
    assert not any(r.endswith("checkpoint.safetensors") for r in fetched)
    assert not (pulled_folder(pushed) / ".cache").exists()


def test_the_package_is_named_where_it_is_missing(two, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    status, _, err = two.receiver("evaluate", "hf://ada/small")
    assert status == 3
    assert "pip install huggingface_hub" in err


def test_a_fresh_process_takes_the_address_from_the_environment(pushed, hub, tmp_path):
    environment = {
        **os.environ,
        "HF_ENDPOINT": hub.url,
        "SBIRCTL_HOME": str(tmp_path / "receiver"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_OFFLINE": "0",
    }
    done = subprocess.run(
        [sys.executable, "-m", "sbirctl", "models", "pull", "hf://ada/small"],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{pulled_folder(pushed)}\n"
    assert done.stderr == ""


def test_the_hub_is_asked_again_after_an_hour(pushed, hub, monkeypatch):
    from datetime import timedelta

    assert pushed.receiver("models", "pull", "hf://ada/small")[0] == 0
    monkeypatch.setattr(sharing_hub, "_ASK_AGAIN", timedelta(0))
    for _ in range(2):
        hub.requests.clear()
        assert pushed.receiver("evaluate", "hf://ada/small")[0] == 0
        assert "GET /api/models/ada/small/revision/main" in hub.requests


def test_an_export_made_here_leaves_what_came_as_it_came(pushed, monkeypatch):
    from sbirctl.core.home import home

    made = []

    def write(model, origin, folder, report, *, int8):
        made.append(folder)
        return folder

    monkeypatch.setattr("sbirctl.inference.export.export", write)
    status, _, err = pushed.receiver("export", "hf://ada/small")
    assert status == 0, err
    assert made[0].parent == home() / "exports"


def test_runs_are_found_without_the_hub_s_library():
    code = (
        "import sys; from sbirctl.training.find import find_run; find_run('x'); "
        "sys.exit('huggingface_hub' in sys.modules or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
