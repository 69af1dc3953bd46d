"""The classes of Locount, in the order of their ids and in the spelling of the data."""

# The spelling is that of the annotation files, blank at the end of id 4 included; do not put it right.
LOCOUNT_CLASSES: tuple[str, ...] = (
    'Baby diapers', 'Baby Furniture', 'Baby washing and nursing supplie', 'Baby slippers', 'Baby handkerchiefs ',
    'Baby crib', 'Baby carriage', 'Baby tableware', 'Dairy', 'Cocktail', 'Red wine', 'Liquor and Spirits',
    'Carbonated drinks', 'Herbal tea', 'Coffee', 'Tea beverage', 'Baby milk powder', 'Guozhen', 'Ginger Tea',
    'Sour Plum Soup', 'Adult milk powder', 'Tea', 'Notebook', 'Pencil case', 'Pen', 'Baby Toys', 'Children Toys',
    'Football', 'Rubber ball', 'Badminton', 'Basketball', 'Skate', 'Pasta', 'Noodle', 'Flour', 'Rise', 'Oats',
    'Sesame paste', 'Soymilk', 'Lotus root flour', 'Walnut powder', 'Quick-frozen Tangyuan', 'Quick-frozen Wonton',
    'Quick-frozen dumplings', 'Can', 'Instant noodles', 'Mixed congee', 'Potato chips', 'Dried meat', 'Hot strips',
    'Dried fish', 'Dried beans', 'Fish tofu', 'Chocolates', 'Chewing gum', 'Cake', 'Pie', 'Biscuits', 'Ice cream',
    'Cooking wine', 'Soy sauce', 'Sauce', 'Vinegar', 'Care Kit', 'Shampoo', 'Hair conditioner', 'Hair gel', 'Hair dye',
    'Comb', 'Tampon', 'Cotton swab', 'Band aid', 'Adult Diapers', 'Bath lotion', 'Soap', 'Emulsion', 'Facial Cleanser',
    'Razor', 'Facial mask', 'Skin care set', 'Toothbrush', 'Toothpaste', 'Mouth wash', 'Makeup tools', 'Jacket',
    'Trousers', 'Adult shoes', 'Adult socks', 'Children shoes', 'Children Socks', 'Children hats',
    'Children underwear', 'Lingerie', 'Men underwear', 'Adult hat', 'Bedding set', 'Juicer', 'Washing machine',
    'Microwave Oven', 'Desk lamp', 'Air conditioning fan', 'Air conditioner', 'Soybean Milk machine', 'Electric iron',
    'Electric kettle', 'Television', 'Electric Hot pot', 'Electric fan', 'Rice cooker', 'Electromagnetic furnace',
    'Electric frying pan', 'Electric steaming pan', 'Hair drier', 'Socket', 'Refrigerator', 'Coat hanger',
    'Sports cup', 'Disposable cups', 'Thermos bottle', 'Basin', 'Mug', 'Draw bar box', 'Trash', 'Disposable bag',
    'Storage box', 'Storage bottle', 'Stool', 'Knapsack', 'Chopping block', 'Food box', 'Spoon', 'Chopsticks', 'Bowl',
    'Pot shovel', 'Soup ladle', 'Cutter', 'Knives', 'Forks', 'Dinner plate', 'Fresh-keeping film',
)  # fmt: skip
