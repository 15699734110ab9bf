"""Random requests, sessions and environments, plain and odd, made twice from the same seed."""

from __future__ import annotations

import io
from collections import OrderedDict
from http.cookiejar import CookieJar, LWPCookieJar
from random import Random

import requests
from requests.auth import HTTPBasicAuth
from requests.cookies import RequestsCookieJar, create_cookie
from requests.structures import CaseInsensitiveDict


class Text(str):
    """A string of a class of its own."""

    __slots__ = ()


HOSTS = ["localhost", "example.com", "127.0.0.1", "a_b.c", "1.2.3", "a-", "x.y.z."]
ODD_HOSTS = ["EXAMPLE.com", "[::1]", "[fe80::1%25eth0]", "[::G]", ".a", "*.a", "a..b", "bücher.de", "-a", "", "a b",
             "a" * 70, "ÄÖ.de", "256.1.1.1", "a%41", "x\u2100y", "[", "a]b"]  # fmt: skip
PORTS = ["", "", "", ":80", ":8080", ":59999"]
ODD_PORTS = [":0", ":080", ":60000", ":65535", ":65536", ":99999", ":", ":x", ":-1", ":٣"]
PIECES = [
    "a",
    "B",
    "9",
    "-",
    "_",
    "~",
    "/",
    "/",
    ".a",
    "=",
    "&",
    "+",
    "!",
    "$",
    "'",
    "(",
    ")",
    "*",
    ",",
    ";",
    ":",
    "@",
]
ODD_PIECES = ["/.", "/..", "..", ".", "%41", "%2F", "%zz", "%", "%E4", "é", " ", "\\", "|", "^", "{", "`", '"', "<",
              "\x7f", "\n", "\t", "\u2028", "#", "?", "[", "]", "//", "\ud800", "\x00"]  # fmt: skip
VARIABLES = ["http_proxy", "HTTP_PROXY", "https_proxy", "Https_Proxy", "ALL_PROXY", "all_proxy", "no_proxy", "NO_PROXY",
             "xhttp_proxy", "_proxy", "proxy", "http_proxy_", "http__PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
             "requests_ca_bundle", "NETRC", "REQUEST_METHOD", "TEA", "\udcff_proxy", "é_PROXY"]  # fmt: skip
VALUES = ["", "http://proxy.test:3128", "http://user:pass@proxy.test", "localhost,127.0.0.0/8", "*", ".com", "x"]


class Maker:
    """Makes random values; `odd` is the share of those that are not plain."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.odd = self.random.choice([0, 0, 0.03, 0.1, 0.4])

    def pick(self, plain, odd):
        return self.random.choice(odd if self.random.random() < self.odd else plain)

    def some(self, plain, odd, most):
        return [self.pick(plain, odd) for _ in range(self.random.randint(0, most))]

    def url(self):
        scheme = self.pick(["http", "https"], ["HTTP", "httpx", "ftp", "http:", "", "mailto", " http", "\thttps"])
        rest = self.pick([""], ["u:p@", "u@", ":@", "u%20:p@", "u:p@x@"])
        rest += self.pick(HOSTS, ODD_HOSTS) + self.pick(PORTS, ODD_PORTS)
        rest += self.pick(["", "/", f"/{self.text(6)}"], [self.text(3)])
        rest += self.pick(["", f"?{self.text(6)}"], ["?", "#", f"#{self.text(3)}", "?#", f"?{self.text(3)}#x"])
        url = f"{scheme}{self.pick(['://'], ['//', ':', ':///', ''])}{rest}"
        return self.pick(
            [url], [Text(url), url.encode("utf-8", "replace"), url + "\n", None, 7, f" {url}", b"\xff"]
        )

    def text(self, most):
        return "".join(self.some(PIECES, ODD_PIECES, most))

    def params(self):
        value = self.pick(
            ["tea", 3, "a b", "é", "%", "~"], [None, [1, "x"], b"\xe4", 1.5, True, (), [None], {"a": 1}, Text("t")]
        )
        pairs = [
            (self.pick(["q", "page", "a b"], [b"k", "é", 3, ""]), value) for _ in range(self.random.randint(0, 2))
        ]
        made = dict(pairs)
        return self.pick([{}, made, made, None],
                         [pairs, tuple(pairs), OrderedDict(pairs), "a=b&c", b"a=b", "", "é", 7, CaseInsensitiveDict({"a": 1})])  # fmt: skip

    def headers(self):
        names = ["X-Tea", "accept", "User-Agent", "Host", "Content-Length", "content-type", "COOKIE"]
        name = [self.pick(names, ["", "a:b", " x", b"X-Bytes", "é", 3, Text("X-Text"), "a\n"]) for _ in range(3)]
        value = [
            self.pick(["green", "", "1"], [None, b"bytes", 7, " lead", "a\nb", "é", "trail ", Text("t"), None])
            for _ in name
        ]
        pairs = list(zip(name, value, strict=True))[: self.random.randint(0, 3)]
        made = dict(pairs)
        return self.pick(
            [{}, made, made, None], [pairs, OrderedDict(pairs), CaseInsensitiveDict({"x-tea": "2"}), "x", []]
        )

    def cookies(self):
        jar = RequestsCookieJar()
        jar.set("in", "jar", domain=self.random.choice(["", "example.com", "other.test"]))
        plain = CookieJar()
        plain.set_cookie(create_cookie("plain", "jar"))
        return self.pick(
            [None, None, {}, {"a": "1"}],
            [jar, plain, RequestsCookieJar(), LWPCookieJar(), [("a", "b")], "x", {"a": None}],
        )

    def request(self):
        """Return what a `Request` is made from."""
        return {
            "method": self.pick(["GET", "POST", "HEAD", "put", "Delete"], ["ß", b"GET", None, "", Text("get"), 7, "é"]),
            "url": self.url(),
            "params": self.params(),
            "headers": self.headers(),
            "cookies": self.cookies(),
            "data": self.pick([None, {}, {}], [{"a": "b", "c": [1]}, b"bytes", "text", "é", [("a", 1)], io.BytesIO(b"file"), b"", "",
                                               iter([b"x"]), 7, (), io.StringIO("é"), [], {"a": None}, bytearray(b"x")]),
            "json": self.pick([None, None, {"tea": [1, "é"]}], [{}, [], 0, float("nan"), object(), "text", {1: None}]),
            "files": self.pick([None], [{}, [], {"f": ("a.txt", b"tea")}, {"f": io.BytesIO(b"x")}, [("f", "x")], "x", {"f": None}]),
            "auth": self.pick([None, None, ("u", "p")], [HTTPBasicAuth("a", "b"), (), "", ["u", "p"], ("é", "p"), ("u",), sign, {"a": 1}]),
            "hooks": self.pick([None, {}], [{"response": sign}, {"response": [sign, 3]}, {"other": sign}, {"response": []}]),
        }  # fmt: skip

    def change(self, session: requests.Session) -> None:
        """Change a session, as a program may."""
        jar = RequestsCookieJar()
        jar.set("session", "1", path=self.random.choice(["/", "/a"]))
        odd = {
            "headers": lambda: [{}, {"X-A": "b"}, None, CaseInsensitiveDict({"X-B": None}), OrderedDict(a="b"),
                                CaseInsensitiveDict({"X": " bad"}), CaseInsensitiveDict({b"x": b"y"}), CaseInsensitiveDict()],
            "params": lambda: [{"key": "1"}, None, [], [("a", "b")], "x=y", OrderedDict(q=None), OrderedDict()],
            "auth": lambda: [("s", "t"), sign, "", {"b": 2}],
            "cookies": lambda: [jar, LWPCookieJar(), {"a": "b"}, None, {}],
            "hooks": lambda: [{"response": [sign]}, None, {}, {"response": sign}, {"other": [sign]}, []],
            "proxies": lambda: [{"http": "http://p.test"}, None, OrderedDict(), {"no_proxy": "x"}],
            "trust_env": lambda: [False, None, True],
            "stream": lambda: [True, None, {}],
            "verify": lambda: [False, "/bundle.pem", None, {}],
            "cert": lambda: ["/cert.pem", ("/cert.pem", "/key.pem"), {"a": "b"}],
        }  # fmt: skip
        for name, values in odd.items():
            if self.random.random() < self.odd / 2:
                setattr(session, name, self.random.choice(values()))
        if self.random.random() < 0.3 and isinstance(session.headers, CaseInsensitiveDict):
            session.headers[self.pick(["User-Agent", "x-new", "Accept"], ["", " x"])] = self.pick(
                ["v", "w"], [None, b"v", 7, "\n"]
            )

    def settings(self):
        """Return what `merge_environment_settings` is given beside the URL."""
        return [
            self.pick([{}], [None, {"http": "http://q.test"}, {"no_proxy": "localhost"}, OrderedDict(), [], {"https": None}]),
            self.pick([None, True, False], [{}, {"a": 1}, 0]),
            self.pick([None, True, False, "/bundle.pem"], [{}, Text("/x"), 0, ""]),
            self.pick([None], ["/cert.pem", ("/cert.pem", "/key.pem"), {"a": None}]),
        ]  # fmt: skip

    def variables(self) -> dict[str, str]:
        return {name: self.random.choice(VALUES) for name in VARIABLES if self.random.random() < self.odd / 6}


def sign(it, *_args, **_kwargs):
    """Sign a request, or leave a response as it is."""
    if isinstance(it, requests.PreparedRequest):
        it.headers["X-Signature"] = f"{it.method} {it.url} {sorted(it.headers)}"
    return it
