"""What becomes less likely when it is repeated: the tokens that were read, never the padding."""

from __future__ import annotations

import torch

from tuneloop.inference.decoding import Chooser, Decoding, Penalty


def test_a_penalty_counts_no_padding_and_is_that_of_the_server() -> None:
    prompts, width = [[5, 6], [4, 6, 5, 1]], 4
    ids = torch.tensor([[1] * (width - len(each)) + each for each in prompts])
    read = torch.tensor([[0] * (width - len(each)) + [1] * len(each) for each in prompts])
    scores = torch.tensor([[1.0, 2.0, -1.0, 0.5, -2.0, 1.5, 2.0]] * 2)
    penalised = Penalty(2.0, read)(ids, scores)
    for row, prompt in enumerate(prompts):
        chooser = Chooser(Decoding(9, repetition_penalty=2.0), prompt, None)
        assert torch.equal(penalised[row], chooser._penalise(scores[row]))
    beams = Penalty(2.0, read)(
        torch.cat([ids.repeat_interleave(2, dim=0), torch.full((4, 1), 3)], dim=1), scores[[0] * 4]
    )
    assert beams[:, 3].tolist() == [0.25] * 4 and beams[0, 1] == 2.0 and beams[2, 1] == 1.0
