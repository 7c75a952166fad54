"""`tandem data gather`: monthly stock tables, pictures and reviews from a site that the user names."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from edge.errors import UsageError
from edge.steps.cells import date_of
from training.data.gather import picture_pages, review_pages, stock_months
from training.data.gather.json_pages import Paging
from training.data.gather.manners import Manners
from training.data.gather.picture_pages import PictureFields
from training.data.gather.review_pages import ReviewFields
from training.interruption import terminable
from training.progress import say

HELP = "gather stock tables, pictures or reviews page by page from a site that you name, slowly and politely"
_ABOUT = (
    "Nothing is asked of any site but the one whose URL you give. Its robots.txt is kept, there is a pause between requests, "
    "and what has come is not asked for again: after Ctrl-C, run the same command again to go on. "
    "Whether the site's terms allow you to gather and use its data is for you to find out."
)
_KINDS = {
    "stock-months": "daily stock prices, one table a month; URL with {year} (or {roc_year}) and {month}",
    "pictures": "pictures that pages of JSON link to, into one folder for each label; URL with {page}",
    "reviews": "texts and stars from pages of JSON, into one reviews.csv; URL with {page}",
}
_Answer = tuple[dict[str, Any], list[str]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of all kinds of gathering."""
    parser.description = f"{HELP[0].upper()}{HELP[1:]}. {_ABOUT}"
    kinds = parser.add_subparsers(title="what to gather", dest="kind", metavar="KIND", required=True)
    stock, pictures, reviews = (
        kinds.add_parser(name, help=about, description=f"Gather {about}. {_ABOUT}") for name, about in _KINDS.items()
    )
    for kind in (stock, pictures, reviews):
        kind.add_argument("url", metavar="URL", help="address of the pages with its placeholders, in quotation marks")
        kind.add_argument(
            "--into", type=Path, required=True, metavar="DIR", help="folder that everything goes into; made where it is missing"
        )
    stock.add_argument("--from", dest="first", required=True, metavar="YYYY-MM", help="first month")
    stock.add_argument("--to", dest="last", metavar="YYYY-MM", help="last month (default: this one)")
    _add_paging(pictures)
    pictures.add_argument("--url-field", required=True, metavar="PATH", help="where an item holds its picture's address, such as image.url")
    pictures.add_argument("--label", default="", help="what all these pictures show, such as cat")
    pictures.add_argument("--label-field", default="", metavar="PATH", help="where an item says what its picture shows")
    pictures.add_argument("--max-pixels", type=int, default=PictureFields.max_pixels, metavar="N", help="leave out larger pictures")
    pictures.add_argument("--strict", action="store_true", help="end with the first picture that cannot be used, instead of leaving it out")
    _add_paging(reviews)
    reviews.add_argument("--text-field", required=True, metavar="PATH", help="where an item holds its text, such as review.body")
    reviews.add_argument("--stars-field", required=True, metavar="PATH", help="where an item holds its stars or score")
    reviews.add_argument(
        "--min-length", type=int, default=ReviewFields.min_length, metavar="N", help="leave out shorter texts (default: 1)"
    )
    for kind in (stock, pictures, reviews):
        _add_manners(kind)
        kind.add_argument("--json", action="store_true", help="print JSON for machines")


def gather(args: argparse.Namespace) -> _Answer:
    """Gather what was asked for.

    Returns:
        The facts for machines, and lines for people.

    Raises:
        UsageError: A word or number cannot be used, robots.txt forbids it, or the folder is another's.
        InputError: The site refuses, or what it gave is not what is expected.
        SetupError: The site, the network or disk space is missing, or a limit was reached; what came is kept.
    """
    manners = _manners(args)
    try:
        with terminable():
            return _GATHERERS[args.kind](args, manners)
    except KeyboardInterrupt:
        say(f"stopped; what has come is kept in {args.into}: run the same command again to go on")
        raise


def _stock_months(args: argparse.Namespace, manners: Manners) -> _Answer:
    last = stock_months.month_of(args.last) if args.last else date.today().replace(day=1)
    bars, requests = stock_months.gather(args.url, args.into, (stock_months.month_of(args.first), last), manners)
    first_day, last_day = str(bars.dates[0]), str(bars.dates[-1])
    facts = {
        "kind": args.kind,
        "folder": str(args.into),
        "days": len(bars),
        "first": first_day,
        "last": last_day,
        "columns": list(bars.columns),
        "no_trade": [day.isoformat() for day in bars.no_trade],
        "repeated": bars.repeated,
        "gaps": list(bars.gaps),
        "requests": requests,
    }
    return facts, [
        f"{len(bars):,} days, {first_day} to {last_day}, in {args.into}: {', '.join(bars.columns)} ({_asked(requests)})",
        f"  without a trade {len(bars.no_trade)}, rows that came twice {bars.repeated}",
        f"  months without a day: {', '.join(bars.gaps) or 'none'}",
    ]


def _pictures(args: argparse.Namespace, manners: Manners) -> _Answer:
    fields = PictureFields(args.url_field, args.label, args.label_field, args.max_pixels, args.strict)
    done = picture_pages.gather(_paging(args), fields, args.into, manners)
    facts = {
        "kind": args.kind,
        "folder": str(args.into),
        "labels": done.labels,
        "new": done.new,
        "left_out": dict(done.left_out),
        "stopped": done.stopped,
        "requests": done.requests,
    }
    return facts, [
        f"{sum(done.labels.values()):,} pictures in {args.into}, {done.new:,} of them new ({_asked(done.requests)}); {done.stopped}",
        *(f"  {label:<20} {count:>8,}" for label, count in done.labels.items()),
        f"  left out: {_counted(done.left_out)}; sources in {args.into / picture_pages.MANIFEST}",
    ]


def _reviews(args: argparse.Namespace, manners: Manners) -> _Answer:
    fields = ReviewFields(args.text_field, args.stars_field, args.id_field, args.min_length)
    found = review_pages.gather(_paging(args), fields, args.into, manners)
    stars: dict[str, int] = {}
    for review in sorted(found.reviews, key=lambda one: one.stars):
        stars[f"{review.stars:g}"] = stars.get(f"{review.stars:g}", 0) + 1
    path = args.into / review_pages.TABLE
    facts = {
        "kind": args.kind,
        "file": str(path),
        "reviews": len(found.reviews),
        "stars": stars,
        "left_out": dict(found.left_out),
        "stopped": found.stopped,
        "requests": found.requests,
    }
    return facts, [
        f"{len(found.reviews):,} reviews in {path} ({_asked(found.requests)}); {found.stopped}",
        f"  stars: {', '.join(f'{value}: {count:,}' for value, count in stars.items())}",
        f"  left out: {_counted(found.left_out)}",
    ]


_GATHERERS: dict[str, Callable[[argparse.Namespace, Manners], _Answer]] = {
    "stock-months": _stock_months,
    "pictures": _pictures,
    "reviews": _reviews,
}


def _add_paging(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--items", default="", metavar="PATH", help="where a page holds its list, such as data.items (default: the page is the list)"
    )
    parser.add_argument(
        "--id-field", default="", metavar="PATH", help="where an item holds its number or name (default: compare all of it)"
    )
    parser.add_argument("--first-page", type=int, default=1, metavar="N", help="number of the first page (default: 1)")
    parser.add_argument(
        "--page-step", type=int, default=1, metavar="N", help="added for the next page; items per page where a site counts items"
    )
    parser.add_argument(
        "--pages", type=int, default=0, metavar="N", help="stop after N pages (default: when one is empty or brings nothing new)"
    )
    parser.add_argument("--max-items", type=int, default=0, metavar="N", help="stop after N items")
    parser.add_argument(
        "--since", metavar="YYYY-MM-DD", help="leave out older items and stop at a page of nothing else; needs --date-field"
    )
    parser.add_argument("--date-field", default="", metavar="PATH", help="where an item holds its date")


def _add_manners(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("manners")
    group.add_argument("--pause", type=float, default=Manners.pause_s, metavar="S", help="least pause between requests (default: 1 s)")
    group.add_argument("--referer", default="", metavar="URL", help="the page that these are linked from; some sites want it")
    group.add_argument("--header", action="append", default=[], metavar="'NAME: VALUE'", help="another header, sent to the URL's host only")
    group.add_argument("--user-agent", default=Manners.user_agent, help="how the program names itself; best with your address")
    group.add_argument(
        "--allow-host", action="append", default=[], metavar="HOST", help="a further host that may be asked, such as img.site.example"
    )
    group.add_argument(
        "--timeout", type=float, default=Manners.timeout_s, metavar="S", help="longest silence of the server (default: 30 s)"
    )
    group.add_argument(
        "--retries", type=int, default=Manners.retries, metavar="N", help="asks again after trouble, ever later (default: 4)"
    )
    group.add_argument(
        "--backoff", type=float, default=Manners.backoff_s, metavar="S", help="first wait after trouble; it doubles (default: 1 s)"
    )
    group.add_argument(
        "--longest-wait", type=float, default=Manners.longest_wait_s, metavar="S", help="longest wait after trouble (default: 120 s)"
    )
    group.add_argument(
        "--max-requests", type=int, default=Manners.max_requests, metavar="N", help="most requests of one run (default: 10000)"
    )
    group.add_argument("--max-minutes", type=float, default=0.0, metavar="M", help="longest run (default: no limit)")
    group.add_argument("--max-mb", type=float, default=Manners.max_bytes / 1e6, metavar="MB", help="largest page or picture (default: 20)")
    group.add_argument("--seed", type=int, default=0, help="of the random part of pauses (default: 0)")


def _manners(args: argparse.Namespace) -> Manners:
    headers = {}
    for text in args.header:
        name, colon, value = text.partition(":")
        if not colon:
            raise UsageError(f"--header {text!r}: expected 'Name: value'")
        headers[name.strip()] = value.strip()
    return Manners(
        pause_s=args.pause,
        seed=args.seed,
        timeout_s=args.timeout,
        retries=args.retries,
        backoff_s=args.backoff,
        longest_wait_s=args.longest_wait,
        max_bytes=int(min(max(args.max_mb, 0), 1e5) * 1e6) if args.max_mb == args.max_mb else 0,
        max_requests=args.max_requests,
        max_seconds=args.max_minutes * 60,
        user_agent=args.user_agent,
        referer=args.referer,
        headers=headers,
        allowed_hosts=frozenset(args.allow_host),
    )


def _paging(args: argparse.Namespace) -> Paging:
    since = None if args.since is None else date_of(args.since, "--since")
    numbers = (args.first_page, args.page_step, args.pages, args.max_items)
    return Paging(args.url, args.items, args.id_field, *numbers, args.date_field, since)


def _asked(requests: int) -> str:
    return f"{requests:,} request{'' if requests == 1 else 's'}" if requests else "all was there, nobody was asked"


def _counted(reasons: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in reasons.items()) or "none"
