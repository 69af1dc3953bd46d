_base_ = './count-ception_cpu-30min_vgg-cells.py'

# The same network on Gaussian densities: what redundant counting is compared with.
codec = dict(type='mmcount.DensityCodec', sigma=4, stride=4, padding=32, num_classes=1)

model = dict(
    head=dict(
        _delete_=True,
        type='mmcount.DensityMapHead',
        codec=codec,
        in_channels=64,
        target_scale=64.0,
        loss=dict(type='mmdet.MSELoss'),
    )
)
train_pipeline = [
    dict(type='mmcount.LoadImage'),
    dict(type='mmcount.LoadCountAnnotations'),
    dict(type='mmcount.RandomDihedral'),
    dict(type='mmcount.HaloCrop', codec=codec, size=128, extend=48),
    dict(type='mmcount.GenerateTarget', codec=codec),
    dict(type='mmcount.PackCountInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
