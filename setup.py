"""What setup.cfg cannot say; everything else is there."""

import re
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


def long_description() -> str:
    """Give the README without what only a clone can show: its pictures and links to its files."""
    readme = Path(__file__).with_name("README.md").read_text(encoding="utf-8")
    without_pictures = re.sub(r"^!\[[^\]]*\]\([^)]*\)\n\n", "", readme, flags=re.MULTILINE)
    return re.sub(r"(?<!!)\[([^\]]+)\]\((?!\w+:)[^)]*\)", r"`\1`", without_pictures)


class BuildPackages(build_py):
    """Leaves out the script that draws the sample: it needs the rules, which are not installed."""

    def find_package_modules(self, package: str, package_dir: str) -> list[tuple[str, str, str]]:
        """List the modules of a package that are installed."""
        found = super().find_package_modules(package, package_dir)
        return [module for module in found if module[1] != "make_sample"]


setup(
    long_description=long_description(),
    long_description_content_type="text/markdown",
    cmdclass={"build_py": BuildPackages},
)
