"""Addresses of a run in OMS, in the DQM GUI and in the Run Registry, and of a pull request of CMSSW."""

from urllib.parse import urlencode

_GUI = {"production": "https://cmsweb.cern.ch/dqm/online", "playback": "https://cmsweb.cern.ch/dqm/online-playback"}
_REGISTRY_TABLES = ("obf", "otf")  # the Run Registry filters both of its tables


def oms_url(run: int) -> str:
    """The run's report in OMS."""
    return f"https://cmsoms.cern.ch/cms/runs/report?cms_run={run}"


def gui_url(run: int, cluster: str) -> str:
    """The run's histograms. The GUI parts its parameters by semicolons."""
    chosen = "dataset=/Global/Online/ALL;sampletype=online_data;workspace=Everything"
    return f"{_GUI[cluster]}/start?runnr={run};{chosen}"


def registry_url(run: int) -> str:
    """The run in the Run Registry, by the filter that its own pages write into their address."""
    pairs = []
    for table in _REGISTRY_TABLES:
        rule = f"{table}[rules][0]"
        pairs += [(f"{rule}[field]", "run_number"), (f"{rule}[value]", str(run)), (f"{rule}[operator]", "=")]
        pairs += [(f"{table}[combinator]", "and"), (f"{table}[not]", "false")]
    return f"https://cmsrunregistry.web.cern.ch/online/global?{urlencode(pairs)}"


def pull_url(number: int) -> str:
    """Where a pull request of CMSSW is discussed."""
    return f"https://github.com/cms-sw/cmssw/pull/{number}"
