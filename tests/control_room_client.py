"""Somebody in the Control Room without a browser: keeps its cookies, reads its forms, sends what it should and should not."""

import http.client
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from bs4 import BeautifulSoup

PASSWORD = "a long enough password"
ACCOUNTS = f"expert:{PASSWORD};reader:{PASSWORD} too"
SETTINGS = {"DQM_CR_USERNAMES": ACCOUNTS, "DQM_CR_VIEWERS": "reader"}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def soup(self) -> Any:
        return BeautifulSoup(self.body, "html.parser")


@dataclass
class Client:
    """`base` is the server's address with the prefix."""

    base: str
    headers: dict[str, str] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)
    token: str = ""

    def request(self, method: str, path: str, body: bytes | None = None, **headers: Any) -> Answer:
        """`headers` with _ for -; None leaves one out that is sent otherwise."""
        parts = urlsplit(self.base)
        sent: dict[str, Any] = {"Accept": "text/html", **self.headers}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if method == "POST":
            sent |= {"Origin": f"{parts.scheme}://{parts.netloc}", "Content-Type": "application/x-www-form-urlencoded"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)
        try:
            kept = {name: value for name, value in sent.items() if value is not None}
            connection.request(method, quote(parts.path + path, safe="/?&=%+;"), body, kept)
            raw = connection.getresponse()
            answer = Answer(raw.status, raw.getheaders(), raw.read())
        finally:
            connection.close()
        self.keep_cookies(answer)
        return answer

    def keep_cookies(self, answer: Answer) -> None:
        for cookie in answer.all("Set-Cookie"):
            name, _, value = cookie.partition(";")[0].partition("=")
            if value:
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)

    def get(self, path: str, **headers: Any) -> Answer:
        return self.request("GET", path, **headers)

    def post(self, path: str, fields: dict[str, str] | str = "", **headers: Any) -> Answer:
        body = fields if isinstance(fields, str) else urlencode(fields)
        return self.request("POST", path, body.encode(), **headers)

    def log_in(self, name: str = "expert", password: str = PASSWORD, path: str = "/cr/login/") -> Answer:
        """Sends the form of that page; afterwards `token` is the one for commands."""
        form = self.fields(path)
        answer = self.post("/cr/login/", form | {"username": name, "password": password})
        if answer.status == 303:
            [room] = self.get("/cr/").soup.select("[data-token]")
            self.token = str(room["data-token"])
        return answer

    def fields(self, path: str = "/cr/login/") -> dict[str, str]:
        """What the form of that page sends unasked."""
        inputs = self.get(path).soup.select("form input[name]")
        return {str(one["name"]): str(one.get("value", "")) for one in inputs}

    def step_up(self, password: str = PASSWORD) -> Answer:
        return self.post("/cr/step-up/", {"password": password, "token": self.token})

    def ask(self, query: str) -> Answer:
        """A command by GET."""
        return self.get(f"/cr/exe?{query}")

    def act(self, **fields: str) -> Answer:
        """A command by POST."""
        return self.post("/cr/exe", {**fields, "token": self.token})
