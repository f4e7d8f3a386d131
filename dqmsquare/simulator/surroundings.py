"""What the monitor adds about a job's process: its environment (with canaries), its memory, its lumisections.

Every value that must never leave P5 starts with `canary-`, so that a test can look for it everywhere.
"""

from collections.abc import Mapping

PAGE_BYTES = 4096
_REPORT_SECONDS = 30.0  # one point of memory per report


def environ(host: str, pid: int, release: str) -> dict[str, str]:
    """The whole environment of a job, secrets included, as hltd passes it on."""
    base = f"/cmsnfsdqmdata/dqmdata/dqm_cmssw/{release}"
    return {
        "PATH": f"{base}/bin/el8_amd64_gcc12:/opt/offline/bin:/usr/bin:/bin",
        "HOME": "/nfshome0/dqmpro",
        "USER": "dqmpro",
        "LOGNAME": "canary-user",
        "HOSTNAME": f"{host}.cms",
        "CMSSW_BASE": base,
        "LD_LIBRARY_PATH": f"{base}/lib/el8_amd64_gcc12:/nfshome0/canary-path/lib",
        "SCRAM_ARCH": "el8_amd64_gcc12",
        "CMS_PATH": "/cvmfs/cms.cern.ch",
        "http_proxy": "http://canary-proxy.cms:3128",
        "https_proxy": "http://canary-proxy.cms:3128",
        "X509_USER_PROXY": "/tmp/canary-x509up_u5410",  # noqa: S108  (a value of a made-up environment)
        "FRONTIER_PROXY": "canary-frontier-proxy",
        "FAKE_DB_PASSWORD": "canary-password-7f3a",
        "FAKE_API_TOKEN": f"canary-token-{pid:06d}",
        "SSH_CONNECTION": "10.176.60.5 51234 10.176.60.24 22",
    }


def ps_info(pid: int, rss_bytes: int, size_bytes: int, *, alive: bool) -> dict[str, str]:
    """`/proc/<pid>/status` as a dictionary of strings, sizes in kB."""
    rss, size = rss_bytes // 1024, size_bytes // 1024
    return {
        "Name": "cmsRun",
        "State": "S (sleeping)" if alive else "Z (zombie)",
        "Tgid": str(pid),
        "Pid": str(pid),
        "PPid": str(pid - 1),
        "Uid": "5410\t5410\t5410\t5410",
        "Gid": "1399\t1399\t1399\t1399",
        "VmPeak": f"{size + 102400} kB",
        "VmSize": f"{size} kB",
        "VmHWM": f"{rss + 20480} kB",
        "VmRSS": f"{rss} kB",
        "RssAnon": f"{rss * 4 // 5} kB",
        "VmSwap": "0 kB",
        "Threads": "12",
        "Cpus_allowed_list": "0-31",
        "voluntary_ctxt_switches": str(pid * 7 % 90000),
        "nonvoluntary_ctxt_switches": str(pid * 3 % 4000),
    }


def memory_bytes(seconds: float, rss_mb: int, growth_mb_per_hour: float) -> tuple[int, int]:
    """Resident and virtual size of a job that runs for `seconds`; it loads for two minutes, then grows slowly."""
    loaded = min(1.0, 0.35 + seconds / 120.0)
    rss = int((rss_mb * loaded + growth_mb_per_hour * seconds / 3600.0) * 1024 * 1024)
    return rss, rss + 1_900_000_000


def mem_info(started_at: float, reported_at: float, rss_mb: int, growth_mb_per_hour: float) -> dict[str, str]:
    """A line of `/proc/<pid>/statm`, in pages, per report since the start, by instant."""
    points = {}
    at = started_at
    while at <= reported_at:
        rss, size = memory_bytes(at - started_at, rss_mb, growth_mb_per_hour)
        pages = rss // PAGE_BYTES
        points[f"{at:.6f}"] = f"{size // PAGE_BYTES} {pages} 40000 1 0 {size // PAGE_BYTES // 2} 0"
        at += _REPORT_SECONDS
    return points


def lumi_stats(
    first_lumi: int, lumi: int, zero_at: float, lumi_seconds: float, events: tuple[int, ...]
) -> dict[str, dict[str, str]]:
    """One entry per finished lumisection, by second: two in one second collide, as they do upstream."""
    millis = int(lumi_seconds * 1000)
    return {
        str(int(zero_at + n * lumi_seconds)): {
            "n": str(n),
            "nevents": str(events[n - 1]),
            "nmillis": str(millis + n * 37 % 11),
            "rate": f"{events[n - 1] / lumi_seconds:.6f}",
        }
        for n in range(first_lumi, lumi + 1)
    }


def lumi_seen(first_lumi: int, lumi: int, skipped: Mapping[int, str], *, ended: bool) -> dict[str, str]:
    """The state of each lumisection; those before `first_lumi` were there when the job started late."""
    words = dict.fromkeys(range(1, first_lumi), "skipped: fast-forward to the latest lumi")
    words |= dict.fromkeys(range(first_lumi, lumi), "close: eof")
    words[lumi] = "close: graceful end-of-run" if ended else "open: file iterator"
    words |= {n: text for n, text in skipped.items() if n <= lumi}
    return {f"lumi{n:06d}": words[n] for n in sorted(words)}
