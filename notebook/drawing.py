"""A font for Chinese labels in plots: one of the machine or, if it has none, one from a package."""

from __future__ import annotations

import matplotlib.font_manager as fonts
import matplotlib.pyplot as plt

OF_SYSTEMS = ("Noto Sans CJK SC", "Source Han Sans SC", "PingFang SC", "Microsoft YaHei", "WenQuanYi Zen Hei", "SimHei")
OF_PACKAGE = "Noto Sans CJK SC"


def use_chinese_font() -> str:
    """Set a Chinese font in matplotlib and return its name."""
    known = {font.name for font in fonts.fontManager.ttflist}
    name = next((name for name in OF_SYSTEMS if name in known), None)
    if name is None:
        from pathlib import Path

        import mplfonts

        fonts.fontManager.addfont(Path(mplfonts.__file__).parent / "fonts" / "NotoSansCJKsc-Regular.otf")
        name = OF_PACKAGE
    plt.rcParams |= {"font.family": name, "axes.unicode_minus": False, "figure.dpi": 90}
    return name
