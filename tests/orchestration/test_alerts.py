"""Early warnings reach people: what is news, the webhook, and that nothing there breaks a night."""

import dataclasses
import http.server
import json
import socketserver
import threading
import time
from datetime import date

import duckdb
import pytest

from orchestration import alerts
from orchestration.alerts import alert, newest_warnings
from orchestration.defs.published import early_warnings_check
from orchestration.errors import IntentMapError
from orchestration.settings import PROJECT_ROOT, Settings, load_settings

ROWS = [
    ("2026-03-01", "cart", "Email", "dropped", "warning", 999),
    ("2026-03-08", "cart", "Email", "dropped", "warning", 40),
    ("2026-03-08", "video", "(all)", "stopped", "critical", 10),
    ("2026-03-09", "cart", "Email", None, "none", 0),
]


@pytest.fixture
def settings(tmp_path) -> Settings:
    """A home whose served file has early warnings."""
    serving = tmp_path / "serving"
    serving.mkdir()
    with duckdb.connect(str(serving / "intent_map.duckdb")) as served:
        served.execute("create schema marts")
        served.execute(
            "create table marts.mart_early_warnings (date date, micro_conversion varchar, "
            "channel_group varchar, warning varchar, severity varchar, "
            "money_at_risk decimal(18, 4), sessions bigint default 1200, "
            "expected_rate double default 0.2, actual_rate double default 0.1, "
            "reason varchar default 'A broken tag.')"
        )
        served.executemany(
            "insert into marts.mart_early_warnings (date, micro_conversion, channel_group, "
            "warning, severity, money_at_risk) values (?, ?, ?, ?, ?, ?)",
            ROWS,
        )
    return Settings(home=tmp_path, seeds=PROJECT_ROOT / "seeds")


@pytest.fixture
def webhook():
    """A web server that keeps what it is sent; answers with `status`."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.server.received.append(json.loads(body))
            self.send_response(self.server.status)
            self.send_header("Location", "/login/secret")
            self.end_headers()

        def do_GET(self):
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.received, server.status = [], 200
    server.address = f"http://127.0.0.1:{server.server_port}/hook/secret"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def test_warnings_of_the_newest_two_days_come_by_severity_then_money(settings):
    warnings = newest_warnings(settings)
    assert [(one.date, one.micro_conversion) for one in warnings] == [
        (date(2026, 3, 8), "video"),
        (date(2026, 3, 8), "cart"),
    ]


def test_a_served_file_without_the_table_has_no_warnings(settings):
    with duckdb.connect(str(settings.serving / "intent_map.duckdb")) as served:
        served.execute("drop table marts.mart_early_warnings")
    assert newest_warnings(settings) == []


def test_without_an_address_warnings_are_only_reported(settings):
    said = []
    assert alert(settings, newest_warnings(settings), said.append) == 0
    assert said[0] == (
        "early warning: CRITICAL 2026-03-08 video, (all): stopped, 10.0% of 1,200 sessions where "
        "20.0% were expected, 10.00 at risk. A broken tag."
    )
    assert not (settings.home / "alerts_sent.json").exists()


def test_a_channel_named_by_the_data_is_one_short_line_that_cannot_act(settings):
    (warning, *_) = newest_warnings(settings)
    text = str(dataclasses.replace(warning, channel_group="\x1b[2J\nCRITICAL " + "x" * 500))
    assert "\x1b" not in text and "\n" not in text
    assert len(text) < 400 and "\ufffd[2J CRITICAL xxx" in text


def test_what_was_sent_is_not_sent_again_and_news_is(settings, webhook):
    settings = dataclasses.replace(settings, webhook=webhook.address)
    warnings = newest_warnings(settings)
    assert alert(settings, warnings[:1], lambda _: None) == 1
    assert alert(settings, warnings[:1], lambda _: None) == 0
    assert alert(settings, warnings, lambda _: None) == 1
    assert [len(body["warnings"]) for body in webhook.received] == [1, 1]
    assert webhook.received[1]["warnings"][0]["date"] == "2026-03-08"
    assert webhook.received[1]["text"].startswith("WARNING 2026-03-08 cart, Email: dropped")


def test_what_one_run_does_not_find_any_more_is_not_told_again_by_the_next(settings, webhook):
    settings = dataclasses.replace(settings, webhook=webhook.address)
    one, other = newest_warnings(settings)
    for found, news in (([one], 1), ([other], 1), ([one, other], 0)):
        assert alert(settings, found, lambda _: None) == news


def test_what_the_webhook_missed_is_told_when_its_day_is_none_of_the_newest_any_more(
    settings, webhook
):
    settings = dataclasses.replace(settings, webhook=webhook.address)

    def a_day_goes_by(*rows):
        with duckdb.connect(str(settings.serving / "intent_map.duckdb")) as served:
            served.executemany(
                "insert into marts.mart_early_warnings (date, micro_conversion, channel_group, "
                "warning, severity, money_at_risk) values (?, ?, ?, ?, ?, ?)",
                rows,
            )
        return alert(settings, newest_warnings(settings), lambda _: None)

    webhook.status = 500
    assert a_day_goes_by(("2026-03-10", "video", "(all)", "stopped", "critical", 10)) == 0
    # two more nights; one of the warnings that were missed is none any more
    assert a_day_goes_by(("2026-03-11", "cart", "Email", "dropped", "warning", 5)) == 0
    assert a_day_goes_by(("2026-03-13", "cart", "Email", None, "none", 0)) == 0
    with duckdb.connect(str(settings.serving / "intent_map.duckdb")) as served:
        served.execute(
            "update marts.mart_early_warnings set warning = null where date = '2026-03-11'"
        )
    webhook.status = 200
    webhook.received.clear()
    assert a_day_goes_by(("2026-03-14", "cart", "Email", "dropped", "warning", 5)) == 2
    assert a_day_goes_by(("2026-03-15", "cart", "Email", None, "none", 0)) == 0
    (told,) = webhook.received
    assert [one["date"] for one in told["warnings"]] == ["2026-03-14", "2026-03-10"]


def test_the_note_of_a_release_that_noted_only_what_was_sent_is_read(settings, webhook):
    settings = dataclasses.replace(settings, webhook=webhook.address)
    warnings = newest_warnings(settings)
    (settings.home / "alerts_sent.json").write_text(json.dumps([warnings[0].key]))
    assert alert(settings, warnings, lambda _: None) == 1


@pytest.mark.parametrize("note", ["{", "3", "{}", '{"sent": [], "missed": 3}', "null"])
def test_a_note_that_is_none_tells_all_again(settings, webhook, note):
    settings = dataclasses.replace(settings, webhook=webhook.address)
    (settings.home / "alerts_sent.json").write_text(note)
    assert alert(settings, newest_warnings(settings), lambda _: None) == 2


def test_no_warnings_send_nothing(settings, webhook):
    settings = dataclasses.replace(settings, webhook=webhook.address)
    assert alert(settings, [], lambda _: None) == 0
    assert webhook.received == []


def test_a_webhook_that_fails_breaks_nothing_hides_its_address_and_is_tried_again(
    settings, webhook
):
    settings = dataclasses.replace(settings, webhook=webhook.address)
    webhook.status = 500
    said = []
    assert alert(settings, newest_warnings(settings), said.append) == 0
    assert "could not be sent to INTENT_MAP_WEBHOOK (it answered 500)" in said[-1]
    assert "secret" not in " ".join(said)
    webhook.status = 200
    assert alert(settings, newest_warnings(settings), said.append) == 2


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_an_answer_that_leads_elsewhere_does_not_count_as_sent(settings, webhook, status):
    settings = dataclasses.replace(settings, webhook=webhook.address)
    webhook.status = status
    said = []
    assert alert(settings, newest_warnings(settings), said.append) == 0
    assert f"(it answered {status}, another address; name that one)" in said[-1]
    assert "secret" not in " ".join(said)
    assert json.loads((settings.home / "alerts_sent.json").read_text())["sent"] == []


def test_an_address_where_nobody_listens_breaks_nothing(settings):
    settings = dataclasses.replace(settings, webhook="http://127.0.0.1:9/hook")
    said = []
    assert alert(settings, newest_warnings(settings), said.append) == 0
    assert "could not be sent" in said[-1]


def test_an_address_that_speaks_another_protocol_breaks_nothing(settings):
    with socketserver.TCPServer(("127.0.0.1", 0), SpeaksAnother) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        settings = dataclasses.replace(
            settings, webhook=f"http://127.0.0.1:{server.server_address[1]}/hook"
        )
        said = []
        assert alert(settings, newest_warnings(settings), said.append) == 0
    assert "could not be sent to INTENT_MAP_WEBHOOK (BadStatusLine)" in said[-1]


def test_an_answer_that_trickles_for_ever_does_not_hold_the_night(settings, monkeypatch):
    monkeypatch.setattr(alerts, "LONGEST_SECONDS", 0.5)
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Trickles) as server:
        server.over = threading.Event()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings = dataclasses.replace(
            settings, webhook=f"http://127.0.0.1:{server.server_address[1]}/hook"
        )
        said, begun = [], time.monotonic()
        assert alert(settings, newest_warnings(settings), said.append) == 0
        took = time.monotonic() - begun
        server.over.set()
        server.shutdown()
    assert took < Trickles.SECONDS
    assert "could not be sent to INTENT_MAP_WEBHOOK (no answer within 0.5 s)" in said[-1]
    assert json.loads((settings.home / "alerts_sent.json").read_text())["sent"] == []


class Trickles(socketserver.BaseRequestHandler):
    """Sends header after header, each before the one who waits gives up."""

    SECONDS = 5

    def handle(self):
        self.request.recv(65536)
        self.request.sendall(b"HTTP/1.1 200 OK\r\n")
        for _ in range(self.SECONDS * 20):
            if self.server.over.wait(0.05):
                return
            self.request.sendall(b"X-A: b\r\n")
        self.request.sendall(b"\r\n")


class SpeaksAnother(socketserver.BaseRequestHandler):
    """Answers as a server of secure shells does."""

    def handle(self):
        self.request.recv(65536)
        self.request.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")


def test_the_check_warns_and_shows_the_warnings(settings):
    result = early_warnings_check(newest_warnings(settings))
    assert not result.passed
    assert result.severity.value == "WARN"
    assert result.metadata["warnings"].value == 2
    assert early_warnings_check([]).passed


@pytest.mark.parametrize(
    "address",
    ["chat secret", "http://chat:secret/x", "http://chat:99999/secret", "ftp://chat/secret",
     "http:///secret", "http://chat/a secret"],
)  # fmt: skip
def test_a_webhook_that_is_no_web_address_is_refused_without_showing_it(address):
    with pytest.raises(IntentMapError, match="INTENT_MAP_WEBHOOK is no web address") as raised:
        load_settings({"INTENT_MAP_WEBHOOK": address})
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("address", ["https://chat.example.com/hooks/a?b=c", "http://[::1]:8080"])
def test_a_web_address_is_taken_as_it_is(address):
    assert load_settings({"INTENT_MAP_WEBHOOK": address}).webhook == address
