"""The DQM clients that run at P5, the streams they read and what is peculiar to them."""

import random
from dataclasses import dataclass
from functools import lru_cache

LUMI_SECONDS = 23.310893056  # s, length of a lumisection as upstream's file analysis has it
STORAGE_MANAGER = "sm-c2a11-43-01"  # the host whose name stands in every stream file
RELEASES = (
    "production_0909_CMSSW_12_4_8_39145_39162_39341_39326_39353",
    "production_1004_CMSSW_14_0_15_patch1_44616",
    "production_0611_CMSSW_15_0_6_48011_48102",
)


@dataclass(frozen=True, slots=True)
class Client:
    """One client. `idle_in` are run keys in which its stream is empty; `modules` appear in its log."""

    tag: str
    stream: str
    root_name: str
    modules: tuple[str, ...]
    rss_mb: int = 600
    idle_in: tuple[str, ...] = ()

    @property
    def extension(self) -> str:
        """Of its data files."""
        return "pb" if self.stream == "streamDQMHistograms" else "dat"

    @property
    def source(self) -> str:
        """The CMSSW input source it is configured with."""
        return "DQMProtobufReader" if self.stream == "streamDQMHistograms" else "DQMStreamerReader"


def _live(name: str, root_name: str, *modules: str, stream: str = "streamDQM", rss_mb: int = 600) -> Client:
    return Client(f"{name}_dqm_sourceclient-live", stream, root_name, modules, rss_mb)


def _gpu(name: str, root_name: str, *modules: str) -> Client:
    # Cosmic runs have no events in this stream, so these clients wait for the whole run.
    tag = f"{name}_dqm_sourceclient-live"
    return Client(tag, "streamDQMGPUvsCPU", root_name, modules, 360, ("cosmic_run",))


CLIENTS: tuple[Client, ...] = (
    _live("beam", "BeamMonitorLegacy", "siPixelDigis@cpu", "offlineBeamSpot", rss_mb=720),
    Client("beamhlt_dqm_sourceclient-live", "streamDQMOnlineBeamspot", "BeamMonitorHLT", ("hltBeamSpot",), 340,
           ("cosmic_run", "hi_run")),
    _live("beampixel", "BeamPixel", "siPixelDigis@cpu", "pixelVertexDQM", rss_mb=500),
    _live("beamspotdip", "BeamSpotDip", "beamSpotDipServer"),
    _live("csc", "CSC", "muonCSCDigis", "dqmCSCClient"),
    _live("ctpps", "CTPPS", "ctppsRawToDigi", "totemRPLocalTrackFitter"),
    _live("dt", "DT", "dtunpacker", "dtDigiMonitor"),
    _live("dt4ml", "DT4ML", "dtunpacker", "dtDigiMonitor"),
    _live("ecal", "Ecal", "ecalDigis@cpu", "ecalMonitorTask", rss_mb=900),
    _live("ecalcalib", "EcalCalibration", "ecalLaserLedUncalibRecHit", stream="streamDQMCalibration"),
    _gpu("ecalgpu", "EcalGPU", "ecalMultiFitUncalibRecHit@cpu"),
    _live("es", "EcalPreshower", "esRawToDigi", "ecalPreshowerMonitorTask"),
    _live("fed", "FED", "fedIntegrityTask", "l1tStage2Fed"),
    _live("gem", "GEM", "muonGEMDigis", "GEMDQMHarvester"),
    _live("hcal", "Hcal", "hcalDigis@cpu", "digiTask", rss_mb=980),
    _live("hcalcalib", "HcalCalib", "hcalDigis@cpu", "pedestalTask", stream="streamDQMCalibration"),
    _gpu("hcalgpu", "HcalGPU", "hcalGPUComparisonTask"),
    _live("hcalreco", "HcalReco", "hbheprereco@cpu", "recHitTask", rss_mb=860),
    _live("hlt", "HLT", "hltTrackRefitterForSiStripMonitorTrack", "hltVerticesPFFilterMonitoring"),
    Client("hlt_dqm_clientPB-live", "streamDQMHistograms", "HLTpb", ("psChecker", "fastTimerServiceClient"), 480),
    _live("info", "Info", "physicsBitsRecord", "dqmProvInfo", rss_mb=420),
    _live("l1tstage2", "L1T", "gtStage2Digis", "l1tStage2uGMT"),
    _live("l1tstage2emulator", "L1TEMU", "valGtStage2Digis", "l1tdeStage2CaloLayer1", rss_mb=1400),
    _live("mutracking", "MuTracking", "cosmicMuons", "muonSeedMonitor", rss_mb=1100),
    _live("onlinebeammonitor", "OnlineBeamMonitor", "onlineBeamMonitor", rss_mb=450),
    _live("pixel", "PixelPhase1", "siPixelDigis@cpu", "siPixelClusters@cpu", rss_mb=1500),
    _live("pixellumi", "PixelLumi", "siPixelDigis@cpu", rss_mb=380),
    _live("rpc", "RPC", "muonRPCDigis", "rpcDcsInfo"),
    _live("sistrip", "SiStrip", "siStripDigis", "siStripZeroSuppression", rss_mb=2100),
    Client("visualization-live", "streamDQMEventDisplay", "EventDisplay", ("splittedTracksP5", "splitMuons"), 2400),
    Client("visualization-live-secondInstance", "streamDQMEventDisplay", "EventDisplay2", ("siPixelDigis@cpu",), 2300,
           ("cosmic_run",)),
)  # fmt: skip
_BY_TAG = {client.tag: client for client in CLIENTS}

STREAMS = ("streamDQM", "streamDQMGPUvsCPU", "streamDQMEventDisplay", "streamDQMCalibration", "streamDQMHistograms")
_EVENTS_PER_LUMI = {  # by stream, then cosmics and collisions: as in run 358788, and about 40 Hz
    "streamDQM": (12, 950),
    "streamDQMGPUvsCPU": (0, 420),
    "streamDQMEventDisplay": (12, 60),
    "streamDQMCalibration": (190, 190),
    "streamDQMHistograms": (0, 0),
    "streamDQMOnlineBeamspot": (0, 300),
}


def client_of(tag: str) -> Client:
    """The client with this tag; one that is not in the table gets the properties of any."""
    return _BY_TAG.get(tag) or Client(tag, "streamDQM", tag.partition("_")[0].capitalize(), ("dqmEnv",))


def dice(*key: object) -> random.Random:
    """Chance that falls the same way for the same key: plays can be repeated, documents made anew."""
    return random.Random("|".join(map(str, key)))


@lru_cache(maxsize=512)
def events_of_lumis(run: int, stream: str, run_key: str, n_lumis: int) -> tuple[int, ...]:
    """Events per lumisection; the beginning does not depend on `n_lumis`."""
    cosmics, collisions = _EVENTS_PER_LUMI.get(stream, (12, 950))
    mean = cosmics if run_key == "cosmic_run" else collisions
    chance = dice("events", run, stream)
    return tuple(max(0, round(chance.gauss(mean, mean**0.5))) for _ in range(n_lumis))
