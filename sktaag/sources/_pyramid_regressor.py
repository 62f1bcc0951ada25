"""Train a source network on a property with plenty of data."""

from sktaag.heads import NeuralRegressor


class PyramidRegressor(NeuralRegressor):
    """Pyramid network for regression: the source of a transfer, trained on hundreds to thousands of rows.

    The network of XenonPy.MDL [1]_: each hidden layer is linear, dropout, batch norm, activation, and the layers grow
    narrower. Its hidden layers are what `sktaag.transfer.FrozenFeaturizer` hands to a target. Targets are standardised
    inside; X is taken as it is: dense descriptors want a `StandardScaler` before this step, counts of fingerprints can
    come as they are. A CSR matrix stays sparse as far as the first layer, where that is faster.

    Parameters
    ----------
    hidden : int, float, tuple of these, "pyramid" or RandomPyramid, default=(400, 200, 80)
        Widths of the hidden layers: integers are numbers of units, floats ratios of the number of features, "pyramid"
        draws 3 or 4 layers, as `sktaag.nn.RandomPyramid` does. ``()`` is a linear model.
    activation : {"relu", "leaky_relu", "elu", "gelu", "silu", "tanh"}, default="relu"
        Activation function of the hidden layers.
    dropout : float, default=0.0
        Share of hidden values set to zero in training, in [0, 1).
    batch_norm : bool, default=True
        Whether hidden layers are normalised over the batch.
    criterion : {"mse", "mae", "huber"} or class, default="mse"
        Loss, on standardised targets. A class is called as a torch loss; with missing labels it must know
        ``reduction="none"``.
    optimizer : {"adamw", "adam", "sgd"} or class, default="adamw"
        A class is a torch optimizer.
    lr : float, default=0.001
        Learning rate.
    weight_decay : float, default=0.01
        Of the optimizer.
    scheduler : {None, "plateau", "cosine"}, default=None
        Halve the learning rate when the loss stops falling, or bring it to zero along a cosine over `max_epochs`.
    batch_size : int, default=256
        Rows in a batch. A last batch of a single row joins the one before it.
    max_epochs : int, default=200
        Passes over the training rows, at most.
    early_stopping : "auto" or bool, default="auto"
        Whether to hold out validation rows, to stop when their loss no longer falls, and to keep the weights of the
        best epoch. "auto" does so from 100 rows on.
    patience : int, default=20
        Epochs without progress before early stopping.
    validation_fraction : float, default=0.1
        Share of the rows passed to `fit` that early stopping holds out, in (0, 1).
    callbacks : list of skorch callbacks or None, default=None
        Copied before they run.
    mixed_precision : "auto" or bool, default="auto"
        Unless False, train in bfloat16 on CUDA devices that have it; the CPU trains in float32. Predictions are
        computed in float64.
    device : str or torch.device, default="auto"
        "auto" is CUDA where there is one, else the CPU.
    random_state : int, RandomState instance or None, default=None
        Draws the weights, the batches, the inner validation set and random widths. torch's own generators are left as
        they were.
    verbose : int, default=0
        1 shows a progress bar over epochs, 2 skorch's table.
    **net_params : dict
        Keywords that begin with ``module__``, ``criterion__``, ``optimizer__``, ``callbacks__``, ``iterator_train__``
        or ``iterator_valid__`` go to that part of the skorch net, and win over the parameters above.

    Attributes
    ----------
    net_ : skorch.NeuralNet
        The trained net, trimmed for prediction.
    module_ : sktaag.nn.Pyramid
        Its torch module.
    hidden_sizes_ : tuple of int
        Widths of the hidden layers.
    history_ : list of dict
        One for each epoch: losses (of standardised targets) and what `callbacks` recorded.
    n_iter_ : int
        Number of epochs.
    best_epoch_ : int
        The epoch, counted from 1, whose weights are kept.
    validation_score_ : float or None
        R2 on the inner validation rows at that epoch; None without early stopping. It is optimistic, for it has
        picked the epoch.
    target_scaler_ : StandardScaler
        Fitted scaler of y.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if X had names.

    Raises
    ------
    TypeError
        In the constructor, if a keyword is neither a parameter nor routed.
    ValueError
        In `fit`, if X or y is not finite, a target has no label, a parameter is out of its range, or the training
        diverges.

    See Also
    --------
    PyramidClassifier : The same for classes.
    sktaag.heads.NeuralRegressor : Small networks for tens of rows.
    sktaag.nn.Pyramid : The torch module.


    References
    ----------
    .. [1] H. Yamada et al., "Predicting Materials Properties with Little Data Using Shotgun Transfer Learning",
       ACS Cent. Sci. 5, 1717 (2019). :doi:`10.1021/acscentsci.9b00804`

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sktaag.sources import PyramidRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> source = make_pipeline(StandardScaler(), PyramidRegressor(hidden=(20, 10), max_epochs=10, random_state=0))
    >>> source.fit(X, y)[-1].hidden_sizes_
    (20, 10)
    >>> [layer.shape for layer in source[-1].hidden_outputs(source[:-1].transform(X))]
    [(442, 20), (442, 10)]
    """

    _scale_inputs = False

    def __init__(
        self,
        hidden=(400, 200, 80),
        *,
        activation="relu",
        dropout=0.0,
        batch_norm=True,
        criterion="mse",
        optimizer="adamw",
        lr=0.001,
        weight_decay=0.01,
        scheduler=None,
        batch_size=256,
        max_epochs=200,
        early_stopping="auto",
        patience=20,
        validation_fraction=0.1,
        callbacks=None,
        mixed_precision="auto",
        device="auto",
        random_state=None,
        verbose=0,
        **net_params,
    ):
        super().__init__(
            hidden,
            activation=activation,
            dropout=dropout,
            batch_norm=batch_norm,
            criterion=criterion,
            optimizer=optimizer,
            lr=lr,
            weight_decay=weight_decay,
            scheduler=scheduler,
            batch_size=batch_size,
            max_epochs=max_epochs,
            early_stopping=early_stopping,
            patience=patience,
            validation_fraction=validation_fraction,
            callbacks=callbacks,
            mixed_precision=mixed_precision,
            device=device,
            random_state=random_state,
            verbose=verbose,
            **net_params,
        )
