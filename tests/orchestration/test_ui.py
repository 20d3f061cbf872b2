"""The UI as a person sees it: `dagster dev`, a browser, the graph, a night started by a click."""

import re
import shutil

import pytest
from running_dagster import RunningDagster

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
# without the flags of the second line it looks for its maker's servers at every start
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--window-size=1700,1000"),
    *("--disable-quic", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--disable-dev-shm-usage"),
)
GROUPS = ("landing", "staging", "intermediate", "valuation", "marts", "published")
ENDS = ("Success", "Failure", "Canceled")
RUN_SECONDS = 400
# Dagster's own advice to use another command, and where the shell keeps no state
OF_DAGSTER = ("SupersessionWarning", "return callback", "temporary directory", "To persist")


@pytest.fixture(scope="module")
def ui(tmp_path_factory):
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("no chromium here: apt-get install chromium chromium-driver")
    folder = tmp_path_factory.mktemp("ui")
    landing = folder / "home" / "landing" / "generic"
    landing.mkdir(parents=True)
    lines = ["visitor_id,occurred_at,event_name"]
    lines += [f"v{n},2026-01-05 10:00:0{n},page_view" for n in range(5)]
    (landing / "a.csv").write_text("\n".join(lines) + "\n")
    ui = RunningDagster(folder / "home", folder / "log")
    try:
        ui.wait()
        yield ui
    finally:
        ui.end()


@pytest.fixture(scope="module")
def browser(ui, tmp_path_factory):
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    browser = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    yield browser
    browser.quit()


def until(browser, seconds, look):
    """The first true answer of look(browser)."""
    from selenium.common.exceptions import StaleElementReferenceException, TimeoutException
    from selenium.webdriver.support.ui import WebDriverWait

    stale = (StaleElementReferenceException,)
    try:
        return WebDriverWait(browser, seconds, ignored_exceptions=stale).until(look)
    except TimeoutException:
        text = browser.find_element("tag name", "body").text
        raise AssertionError(f"not on {browser.current_url} in {seconds} s: {text}") from None


def shown(browser, xpath):
    from selenium.webdriver.common.by import By

    return [one for one in browser.find_elements(By.XPATH, xpath) if one.is_displayed()]


def run_address(browser):
    """Where the page of the only run is."""
    found = {one.get_attribute("href") or "" for one in shown(browser, "//a")}
    return next((one for one in found if re.search(r"/runs/[0-9a-f]{8}-[0-9a-f-]+$", one)), None)


def end_of_run(browser):
    """What the page of a run says of its end, read in one look: the page shows what comes in last,
    so an answer that was under way may put an older state in the place of the end for a moment."""
    found = shown(browser, " | ".join(f"//*[text()='{state}']" for state in ENDS))
    return next((said for one in found if (said := one.text) in ENDS), None)


def button(label):
    return f"//button[contains(normalize-space(.), '{label}')]"


def test_the_graph_reads_from_left_to_right(ui, browser):
    browser.get(f"{ui.address}/asset-groups")

    def places(browser):
        # the list at the left has the same names, so the rightmost counts
        found = [
            max((one.location["x"] for one in shown(browser, f"//*[text()='{name}']")), default=0)
            for name in GROUPS
        ]
        return found if min(found) > 450 else None

    where = until(browser, 90, places)
    assert where == sorted(where), dict(zip(GROUPS, where, strict=True))


def test_a_night_started_by_a_click_succeeds(ui, browser):
    browser.get(f"{ui.address}/locations/__repository__@intent_map/jobs/nightly_refresh")
    until(browser, 60, lambda b: [x for x in shown(b, button("Materialize all")) if x.is_enabled()])
    shown(browser, button("Materialize all"))[0].click()
    launched = "//*[contains(text(), 'Launched run')]"
    # before the first version Dagster asks whether it may start without one
    until(browser, 60, lambda b: shown(b, button("Confirm")) or shown(b, launched))
    for confirm in shown(browser, button("Confirm")):
        confirm.click()
    until(browser, 90, lambda b: shown(b, launched))
    browser.get(f"{ui.address}/runs")
    browser.get(until(browser, 60, run_address))
    assert until(browser, RUN_SECONDS, end_of_run) == "Success", ui.log.read_text()


def test_health_and_early_warnings_stand_at_what_is_published(ui, browser):
    browser.get(f"{ui.address}/assets/published_marts?view=checks")
    for name in ("early_warnings", "freshness", "reconciliation", "disk", "volume"):
        until(browser, 60, lambda b, name=name: shown(b, f"//*[text()='{name}']"))


def test_starting_warns_of_nothing_and_the_pages_have_no_error(ui, browser):
    lines = ui.log.read_text().splitlines()
    bad = [
        line
        for line in lines
        if re.search(r"WARNING|ERROR|CRITICAL|Warning|Error|Traceback", line)
        and not any(known in line for known in OF_DAGSTER)
    ]
    assert bad == []
    severe = [one["message"] for one in browser.get_log("browser") if one["level"] == "SEVERE"]
    assert severe == []
