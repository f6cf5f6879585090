"""The example as it runs, pods and machines alike: what everybody gets from everybody is what the analyser says."""

import everybody
import pytest

pytestmark = pytest.mark.lab


def test_everybody_gets_what_the_analyser_says(running_lab):
    everybody.gets_what_the_analyser_says(running_lab, stored="example")
