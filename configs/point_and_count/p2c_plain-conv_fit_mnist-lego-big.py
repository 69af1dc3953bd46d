_base_ = './p2c_plain-conv_fit_mnist-lego.py'

# Big objects: the parts of one object answer apart from each other, and one is counted as several.
test_dataloader = dict(dataset=dict(scene=dict(num_objects=1, scale_range=(2.5, 3.0), canvas=(192, 192))))
