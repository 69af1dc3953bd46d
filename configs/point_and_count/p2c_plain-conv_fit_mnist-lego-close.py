_base_ = './p2c_plain-conv_fit_mnist-lego.py'

# Small objects side by side: their heat is one blob, and several are counted as one.
test_dataloader = dict(
    dataset=dict(
        scene=dict(
            num_objects=(2, 4),
            scale_range=(0.6, 0.7),
            stack_prob=1.0,
            stack_size=(2, 4),
            stack_shift=(0.85, 1.0),
            group_overlap=0.0,
        )
    )
)
