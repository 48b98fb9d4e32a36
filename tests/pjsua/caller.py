"""A plain telephone on PJSIP: calls the consent endpoint, hears, presses one key, and says what came of it.

What it heard goes to a WAV file, the rest as one line of JSON to standard output.
"""

import argparse
import json
import re
import sys
import time

import pjsua2 as pj

# The jitter buffer holds back so much, always: a busy machine costs no sample of the recording.
HELD_BACK_MS = 400


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--to", required=True, help="SIP URI, with ;transport=tcp if wanted")
    parser.add_argument("--header", action="append", default=[], help="Name: value, of the INVITE")
    parser.add_argument("--heard", required=True, help="WAV file for what is heard")
    parser.add_argument("--key", default="")
    parser.add_argument("--by", choices=["event", "tone", "info"], default="event")
    parser.add_argument("--key-after", type=float, default=0, help="seconds after media flows")
    parser.add_argument("--hang-up-after", type=float, help="seconds after media flows")
    parser.add_argument("--patience", type=float, default=90)
    return parser.parse_args()


class Caller(pj.Call):
    """One call; all of it happens on the main thread."""

    def __init__(self, account, heard):
        super().__init__(account)
        self.heard = heard
        self.recorder = None
        self.tones = None
        self.media_since = None
        self.over = False
        self.said = {"status": 0, "reason": "", "bye": None, "consent": None}

    def onCallMediaState(self, prm):
        # Held by a name: its list of media lives no longer than it does.
        info = self.getInfo()
        if self.media_since is not None or info.media[0].status != pj.PJSUA_CALL_MEDIA_ACTIVE:
            return
        audio = self.getAudioMedia(-1)
        self.recorder = pj.AudioMediaRecorder()
        self.recorder.createRecorder(self.heard)
        audio.startTransmit(self.recorder)
        self.tones = pj.ToneGenerator()
        self.tones.createToneGenerator(8000, 1)
        self.tones.startTransmit(audio)
        self.media_since = time.monotonic()

    def onCallState(self, prm):
        info = self.getInfo()
        if info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            self.said["status"] = info.lastStatusCode
            self.said["reason"] = info.lastReason
            self.over = True

    def onCallTsxState(self, prm):
        event = prm.e
        if event.type != pj.PJSIP_EVENT_TSX_STATE:
            return
        change = event.body.tsxState
        if change.type != pj.PJSIP_EVENT_RX_MSG or change.tsx.method != "BYE":
            return
        if change.tsx.role != pj.PJSIP_ROLE_UAS:
            return
        self.said["bye"] = "theirs"
        for line in change.src.rdata.wholeMsg.splitlines():
            name, colon, value = line.partition(":")
            if colon and name.strip().lower() == "x-callseal-consent":
                self.said["consent"] = value.strip()

    def press(self, key, by):
        if by == "event":
            self.dialDtmf(key)
        elif by == "info":
            parameters = pj.CallSendDtmfParam()
            parameters.method = pj.PJSUA_DTMF_METHOD_SIP_INFO
            parameters.digits = key
            parameters.duration = 160
            self.sendDtmf(parameters)
        else:
            digit = pj.ToneDigit()
            digit.digit = key
            digit.on_msec = 120
            digit.off_msec = 80
            self.tones.playDigits(pj.ToneDigitVector([digit]))

    def let_go(self):
        """Media objects go before the endpoint does."""
        self.recorder = self.tones = None


def discard_nothing(media):
    """The module has no constant of this type; what is read from JSON may be any number."""
    document = pj.JsonDocument()
    document.writeObject(media)
    text = re.sub(r'("jbDiscardAlgo":\s*)\d+', r"\g<1>0", document.saveString())
    assert '"jbDiscardAlgo"' in text
    document = pj.JsonDocument()
    document.loadString(text)
    document.readObject(media)


def start():
    endpoint = pj.Endpoint()
    endpoint.libCreate()
    config = pj.EpConfig()
    config.uaConfig.threadCnt = 0
    config.uaConfig.mainThreadOnly = True
    config.logConfig.level = config.logConfig.consoleLevel = 0
    media = config.medConfig
    media.clockRate = media.sndClockRate = 8000
    media.channelCount = 1
    media.audioFramePtime = media.ptime = 20
    media.ecTailLen = 0
    media.noVad = True
    media.jbInit = media.jbMinPre = media.jbMaxPre = HELD_BACK_MS
    media.jbMax = 2000
    discard_nothing(media)
    endpoint.libInit(config)
    endpoint.audDevManager().setNullDev()
    transport = pj.TransportConfig()
    transport.boundAddress = "127.0.0.1"
    endpoint.transportCreate(pj.PJSIP_TRANSPORT_UDP, transport)
    endpoint.transportCreate(pj.PJSIP_TRANSPORT_TCP, transport)
    endpoint.libStart()
    for codec in endpoint.codecEnum2():
        endpoint.codecSetPriority(codec.codecId, 255 if codec.codecId.startswith("PCMA/") else 0)
    return endpoint


def main():
    wanted = options()
    endpoint = start()
    account_config = pj.AccountConfig()
    account_config.idUri = "sip:phone@127.0.0.1"
    account_config.mediaConfig.transportConfig.boundAddress = "127.0.0.1"
    account = pj.Account()
    account.create(account_config)
    parameters = pj.CallOpParam(True)
    for header in wanted.header:
        name, _, value = header.partition(":")
        extra = pj.SipHeader()
        extra.hName, extra.hValue = name.strip(), value.strip()
        parameters.txOption.headers.append(extra)
    call = Caller(account, wanted.heard)
    call.makeCall(wanted.to, parameters)
    give_up = time.monotonic() + wanted.patience
    key_due, hang_up_due = bool(wanted.key), wanted.hang_up_after is not None
    while not call.over and time.monotonic() < give_up:
        endpoint.libHandleEvents(10)
        if call.media_since is None or call.over:
            continue
        elapsed = time.monotonic() - call.media_since
        if key_due and elapsed >= wanted.key_after:
            key_due = False
            call.press(wanted.key, wanted.by)
        if hang_up_due and elapsed >= wanted.hang_up_after:
            hang_up_due = False
            call.said["bye"] = "ours"
            call.hangup(pj.CallOpParam())
    said, over = call.said, call.over
    call.let_go()
    del call
    account.shutdown()
    endpoint.libDestroy()
    print(json.dumps(said), flush=True)
    return 0 if over else 1


if __name__ == "__main__":
    sys.exit(main())
