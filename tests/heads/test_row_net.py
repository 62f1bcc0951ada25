import torch
from torch import nn

from sktaag.heads._row_net import RowNet


def test_masked_loss_equals_the_loss_of_the_known():
    net = RowNet(nn.Linear, nn.MSELoss, masked=True)
    net.set_params(module__in_features=1, module__out_features=1, criterion__reduction="none").initialize()
    predicted = torch.randn(6, 3, requires_grad=True)
    true = torch.randn(6, 3)
    true[::2, 1] = torch.nan
    loss = net.get_loss(predicted, true)
    known = ~true.isnan()
    torch.testing.assert_close(loss, nn.functional.mse_loss(predicted[known], true[known]))
    loss.backward()
    assert predicted.grad.isfinite().all()
    assert (predicted.grad == 0)[~known].all()
