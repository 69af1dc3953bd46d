_base_ = './p2c_plain-conv_fit_mnist-lego.py'

# Parallel suppression: bright objects raise the mean that is taken off the heat, and dim ones beside them vanish.
test_dataloader = dict(dataset=dict(scene=dict(num_objects=(3, 4), gain_range=(0.35, 1.0), background_level=0.2)))
