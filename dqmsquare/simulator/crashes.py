"""The last lines of a job that did not end well, in CMSSW's manner. The texts are our own."""

from dataclasses import dataclass

from dqmsquare.simulator.clients import STORAGE_MANAGER

_EXCEPTIONS = {  # exit code: category, what it says
    1: ("ImportError", "No module named 'DQM.Integration.config.online_customizations_cfi'"),
    65: ("InvalidDetId", "Cannot initialize a strip detector id from 0x1a02c3f4, subdetector 2"),
    66: ("StdException", "A std::exception was thrown.\nvector::_M_range_check: __n (which is 78) >= this->size()"),
    68: ("BadAlloc", "A std::bad_alloc exception was thrown.\nThe job has probably exhausted the virtual memory"),
    70: ("ProductNotFound", "Found zero products of edm::DetSetVector<PixelDigi>\nwith label siPixelDigis@cpu"),
    83: ("FileInPathError", "Unable to find file DQM/Integration/data/extra.xml in the search path"),
    84: ("FileOpenError", "Failed to open the file '{data}'"),
    85: ("FileReadError", "Error reading file {data}, expected 4116 bytes, got 0"),
    86: ("FatalRootError", "Fatal Root Error: @SUB=TBufferFile::CheckByteCount\nread 8215 bytes instead of 2071"),
    90: ("ConfigFileReadError", "Error occurred while creating config from {config}"),
}
_OTHER = ("AnotherException", "The client gave up; see the messages above")
_SIGNALS = {4: "illegal instruction", 6: "abort signal", 7: "bus error", 8: "floating point exception",
            11: "segmentation violation"}  # fmt: skip
_STACK = (
    "#0  0x00007f2c4e1b2f3d in poll () from /lib64/libc.so.6",
    "#1  0x00007f2c46a2b0a7 in full_read.constprop () from {lib}/pluginFWCoreServicesPlugins.so",
    "#2  0x00007f2c469eea4c in edm::service::InitRootHandlers::stacktraceFromThread() () from {lib}/pluginFWCore.so",
    "#3  0x00007f2c469f1a3b in sig_dostack_then_abort () from {lib}/pluginFWCoreServicesPlugins.so",
    "#4  <signal handler called>",
    "#5  0x00007f2bd1c0aa51 in SiPixelPhase1Base::fill(DetId, edm::Event const*, int, int) () from {lib}/libDQM.so",
    "#6  0x00007f2bd1c0b7e2 in {module}::analyze(edm::Event const&, edm::EventSetup const&) () from {lib}/libDQM.so",
    "#7  0x00007f2c50a1d8e5 in edm::Worker::doEvent(edm::EventTransitionInfo const&) () from {lib}/libFWCore.so",
    "#8  0x00007f2c509f8f41 in tbb::detail::d1::function_task<edm::WaitingTaskHolder::doneWaiting>::execute() ()",
    "#9  0x00000000004074f1 in main::{{lambda()#1}}::operator()() const ()",
    "#10 0x000000000040517c in main ()",
)


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a job was when it ended: what the crash texts speak of."""

    run: int
    lumi: int
    tag: str
    module: str
    release: str
    stamp: str


def ending(exit_code: int, scene: Scene) -> list[str]:
    """Lines before the exit line for a code other than 0; nothing for SIGKILL, which nobody hears coming."""
    signal = -exit_code if exit_code < 0 else exit_code - 128
    if signal in _SIGNALS:
        return _signal_lines(_SIGNALS[signal], scene)
    if signal in {2, 15}:
        return [f"%MSG-s ShutdownSignal:  PostProcessEvent {scene.stamp}  Run: {scene.run} Lumi: {scene.lumi}\n",
                f"Terminating on a request, signal {signal}\n", "%MSG\n"]  # fmt: skip
    if signal == 9:
        return []
    if exit_code == 127:  # the shell's word for a command that is not there
        return ["startDqmRun.sh: line 42: cmsRun: command not found\n"]
    return _exception_lines(*_EXCEPTIONS.get(exit_code, _OTHER), scene)


def _data_file(scene: Scene) -> str:
    return f"/fff/BU0/ramdisk/run{scene.run}/run{scene.run}_ls{scene.lumi:04d}_streamDQM_{STORAGE_MANAGER}.dat"


def _config_file(scene: Scene) -> str:
    base = f"/cmsnfsdqmdata/dqmdata/dqm_cmssw/{scene.release}"
    return f"{base}/src/DQM/Integration/python/clients/{scene.tag}_cfg.py"


def _signal_lines(words: str, scene: Scene) -> list[str]:
    lib = f"/cmsnfsdqmdata/dqmdata/dqm_cmssw/{scene.release}/lib/el8_amd64_gcc12"
    stack = [line.format(lib=lib, module=scene.module.split("@")[0]) + "\n" for line in _STACK]
    return [
        "\n", "\n", f"A fatal system signal has occurred: {words}\n",
        "The following is the call stack containing the origin of the signal.\n", "\n",
        f"{scene.stamp}\n", "Thread 1 (Thread 0x7f2c4a1fe7c0 (LWP 41554) \"cmsRun\"):\n", *stack, "\n",
        "Current Modules:\n", "\n", f"Module: {scene.module.split('@')[0]}:{scene.module} (crashed)\n",
        "Module: none\n", "\n", f"A fatal system signal has occurred: {words}\n",
    ]  # fmt: skip


def _exception_lines(category: str, text: str, scene: Scene) -> list[str]:
    message = text.format(data=_data_file(scene), config=_config_file(scene))
    return [
        f"%MSG-e {category}:  {scene.module} {scene.stamp} Run: {scene.run} Event: {scene.lumi * 1733}\n",
        "The exception below ends the job\n", "%MSG\n",
        f"----- Begin Fatal Exception {scene.stamp}-----------------------\n",
        f"An exception of category '{category}' occurred while\n",
        f"   [0] Processing  Event run: {scene.run} lumi: {scene.lumi} event: {scene.lumi * 1733} stream: 0\n",
        "   [1] Running path 'dqmPath'\n",
        f"   [2] Calling method for module {scene.module.split('@')[0]}/'{scene.module}'\n",
        "Exception Message:\n", *[f"{line}\n" for line in message.split("\n")],
        f"----- End Fatal Exception {'-' * 49}\n",
    ]  # fmt: skip
