"""What is written in more than one place says the same everywhere: the pinned ruff, the supported Pythons."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def text():
    """Read files of the checkout."""
    return lambda path: (ROOT / path).read_text(encoding="utf-8")


def pythons(text):
    """Sort the versions of Python that a text names."""
    return sorted(set(re.findall(r"\b3\.\d\d?\b", text)), key=lambda version: int(version[2:]))


@pytest.fixture
def supported(text):
    return pythons("\n".join(re.findall(r'"Programming Language :: Python :: (3\.\d+)"', text("pyproject.toml"))))


def test_hooks_and_lint_session_use_one_exact_ruff(text):
    wanted = [
        requirement
        for path in ("pyproject.toml", ".pre-commit-config.yaml")
        for requirement in re.findall(r'"(ruff\b[^"]*)"', text(path))
    ]
    assert len(wanted) == 3  # the group, and two hooks
    assert len(set(wanted)) == 1
    assert re.fullmatch(r"ruff==\d+\.\d+\.\d+", wanted[0])


def test_supported_pythons_are_those_that_nox_tests(text, supported):
    assert pythons(re.search(r"^PYTHONS = (.*)$", text("noxfile.py"), re.MULTILINE)[1]) == supported


def test_supported_pythons_are_those_that_hosted_checks_install(text, supported):
    listed = re.search(r"python-version: \|\n((?: +3\.\d+\n)+)", text(".github/workflows/checks.yml"))
    assert pythons(listed[1]) == supported


def test_oldest_supported_python_is_the_one_required(text, supported):
    assert f'requires-python = ">={supported[0]}"' in text("pyproject.toml")


def test_readme_names_the_supported_pythons(text, supported):
    assert f"Python {supported[0]} to {supported[-1]}" in text("README.md")


@pytest.mark.parametrize("workflow", ["checks.yml", "release.yml"])
def test_workflows_use_actions_at_exact_commits(text, workflow):
    used = re.findall(r"uses: (.+)", text(f".github/workflows/{workflow}"))
    assert used
    assert all(re.fullmatch(r"\./\S+|[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use) for use in used), used
