"""What a site's robots.txt allows. Source: RFC 9309; rules are read by `urllib.robotparser`."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urljoin
from urllib.robotparser import RobotFileParser

from training.data.gather.addresses import host_of
from training.data.gather.manners import NotAllowedError, RefusedError
from training.progress import say

_MOST_CHARACTERS = 512 * 1024


class Robots:
    """The rules of every host that is asked, each fetched once, before the first other address of the host."""

    def __init__(self, user_agent: str, read: Callable[[str], bytes], slow_down: Callable[[str, float], None]) -> None:
        """Set who asks, how a file is read, and whom to tell of a `Crawl-delay`."""
        self._agent, self._read, self._slow_down = user_agent.split("/")[0].split(" ")[0], read, slow_down
        self._rules: dict[str, RobotFileParser] = {}

    def check(self, url: str) -> None:
        """Let an address pass that the rules allow.

        Raises:
            NotAllowedError: They forbid it.
            UnavailableError: The rules could not be read; then nothing may be asked.
        """
        host = host_of(url)
        if host not in self._rules:
            self._rules[host] = self._fetch(host, urljoin(url, "/robots.txt"))
        if not self._rules[host].can_fetch(self._agent, url):
            raise NotAllowedError(
                f"{url}: the site's robots.txt forbids it to programs such as {self._agent!r}; ask the site's owner, or leave it"
            )

    def _fetch(self, host: str, url: str) -> RobotFileParser:
        rules = RobotFileParser(url)
        try:
            text = self._read(url)[:_MOST_CHARACTERS].decode("utf-8", errors="replace")
        except (RefusedError, NotAllowedError):  # there is none: everything is allowed
            text = ""
        rules.parse(text.splitlines())
        delay = float(rules.crawl_delay(self._agent) or 0)
        if delay > 0:
            say(f"{host}: its robots.txt asks for {delay:g} s between requests; keeping to it")
            self._slow_down(host, delay)
        return rules
