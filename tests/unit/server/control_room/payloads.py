"""What must never reach DQM²'s shells, in any parameter of any command."""

TEXTS = (
    ";id", "x;id", "$(id)", "`id`", "|id", "&id", "a&b", "\n", "dqmfu-c2b01-45-01\n", "%0a", "\0", " ", "\t", '"', "'",
    "\\", "{a,b}", "*", "?", "~", "<", ">", "#", "!", "-oProxyCommand=x", "-oProxyCommand=id", "host@evil",
    "dqmfu-c2b01-45-01@evil", "dqmfu-c2b01-45-01:22", "dqmfu-c2b01-45-01/..", "dqmfu-c2b01-45-01.evil.org",
    "dqmfu-c2b01-45-01.cms.cern.ch", "10.176.60.1", "::1", "fe80::1", "DQMFU-C2B01-45-01", "dqmfu-c2b01-45-01.",
    "dqmfu-c2b01-45-01 ", " dqmfu-c2b01-45-01", "dqmfu-c2b01-45-\uff10\uff11", "dqmfu-c2b01-45-\u0660\u0661", "\u202edqmfu", "x" * 10_000, "",
    "a.py -delete", "../x_cfg.py", "x_cfg.py;id", "-x_cfg.py", "x_cfg.py\n", "x/y_cfg.py", ".._cfg.py", "run1;",
    "run000000/../..", "run000000/..", "run12345", "run12345678", "run398183 ", "Run398183", "run39818\uff13", "1e3", "-1",
    "0", "+5", " 5", "5 ", "\uff15", "05", "10001", "99999999999999999999", "0x10", "1.0", "true", "None", "01", "2",
    "pp_run;id", "pp_run ", "PP_RUN", "production_c2a06", "play", "lookarea ", "[1]", "host=evil",
)  # fmt: skip
