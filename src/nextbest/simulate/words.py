"""The vocabulary of the simulated shop: categories with their laws, brands, places; Russian and English.

Plain data. Prices are made up but of a believable order; periods, seasons and follow-ups are the
laws that a recommender can discover.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Category:
    """One department: what it sells, when it is bought, and what is bought after it."""

    name: str
    name_ru: str
    mcc: int
    """ISO 18245."""
    price: float
    """Median price, RUB."""
    price_sd: float
    """Standard deviation of the log price between items."""
    period_days: float
    """Median days until the same item is needed again; 0 = nothing here runs out."""
    season: float
    """Yearly swing of demand, 0 = none, 0.8 = from 0.2 to 1.8."""
    peak_month: float
    """Month of the peak, 1-12."""
    weekend: float
    """Demand at weekends over that on working days."""
    follow: str
    """Category that a purchase here draws in."""
    pull: float
    """Strength of that draw; 1 = as likely as everything else together."""
    nouns: tuple[tuple[str, str], ...]
    """What it sells: (English, Russian)."""


CATEGORIES: tuple[Category, ...] = (
    Category("Groceries", "Продукты", 5411, 180, 0.6, 9, 0.05, 12, 1.3, "Sweets", 0.15,
             (("Milk", "Молоко"), ("Rye bread", "Хлеб ржаной"), ("Buckwheat", "Гречка"), ("Cheese", "Сыр"))),
    Category("Coffee and tea", "Кофе и чай", 5499, 620, 0.5, 21, 0.15, 1, 1.1, "Sweets", 0.5,
             (("Coffee beans", "Кофе в зёрнах"), ("Black tea", "Чай чёрный"), ("Cocoa", "Какао"))),
    Category("Sweets", "Сладости", 5441, 240, 0.5, 14, 0.35, 12, 1.4, "Coffee and tea", 0.2,
             (("Chocolate", "Шоколад"), ("Gingerbread", "Пряники"), ("Zefir", "Зефир"))),
    Category("Household", "Бытовая химия", 5331, 320, 0.5, 30, 0.05, 4, 1.2, "Groceries", 0.1,
             (("Washing powder", "Стиральный порошок"), ("Dish gel", "Гель для посуды"), ("Sponges", "Губки"))),
    Category("Pet food", "Корма для животных", 5995, 900, 0.6, 24, 0.0, 1, 1.1, "Pet care", 0.3,
             (("Cat food", "Корм для кошек"), ("Dog food", "Корм для собак"), ("Treats", "Лакомство"))),
    Category("Pet care", "Зоотовары", 5995, 700, 0.7, 0, 0.05, 5, 1.2, "Pet food", 0.4,
             (("Lead", "Поводок"), ("Scratching post", "Когтеточка"), ("Carrier", "Переноска"))),
    Category("Pharmacy", "Аптека", 5912, 430, 0.7, 30, 0.4, 1, 0.9, "Beauty", 0.1,
             (("Vitamins", "Витамины"), ("Cold remedy", "Средство от простуды"), ("Plasters", "Пластырь"))),
    Category("Beauty", "Красота", 5977, 850, 0.7, 45, 0.2, 3, 1.1, "Beauty", 0.3,
             (("Face cream", "Крем для лица"), ("Shampoo", "Шампунь"), ("Mascara", "Тушь для ресниц"))),
    Category("Baby", "Детские товары", 5641, 1100, 0.6, 18, 0.0, 1, 1.0, "Toys", 0.3,
             (("Nappies", "Подгузники"), ("Baby formula", "Детская смесь"), ("Puree", "Пюре"))),
    Category("Toys", "Игрушки", 5945, 1300, 0.8, 0, 0.6, 12, 1.3, "Toys", 0.3,
             (("Building set", "Конструктор"), ("Doll", "Кукла"), ("Board game", "Настольная игра"))),
    Category("Phones", "Телефоны", 4812, 32000, 0.6, 0, 0.3, 12, 1.0, "Phone accessories", 1.6,
             (("Smartphone", "Смартфон"), ("Phone", "Телефон"))),
    Category("Phone accessories", "Аксессуары для телефонов", 5732, 900, 0.7, 0, 0.1, 12, 1.0,
             "Phone accessories", 0.5,
             (("Phone case", "Чехол для телефона"), ("Charger", "Зарядное устройство"),
              ("Screen glass", "Защитное стекло"), ("Earbuds", "Наушники"))),
    Category("Computers", "Компьютеры", 5732, 54000, 0.6, 0, 0.25, 9, 0.9, "Computer accessories", 1.4,
             (("Laptop", "Ноутбук"), ("Monitor", "Монитор"))),
    Category("Computer accessories", "Аксессуары для компьютеров", 5734, 2200, 0.7, 0, 0.1, 9, 0.9,
             "Computer accessories", 0.4,
             (("Mouse", "Мышь"), ("Keyboard", "Клавиатура"), ("USB hub", "USB-концентратор"))),
    Category("Home", "Дом и мебель", 5712, 4200, 1.0, 0, 0.2, 9, 1.4, "Kitchen", 0.3,
             (("Lamp", "Лампа"), ("Shelf", "Полка"), ("Bed linen", "Постельное бельё"))),
    Category("Kitchen", "Кухня", 5719, 1900, 0.8, 0, 0.15, 11, 1.3, "Coffee and tea", 0.3,
             (("Frying pan", "Сковорода"), ("Coffee maker", "Кофеварка"), ("Knife", "Нож"))),
    Category("Garden", "Сад и дача", 5261, 1400, 0.9, 0, 0.8, 5, 1.7, "Garden", 0.5,
             (("Seeds", "Семена"), ("Garden hose", "Садовый шланг"), ("Barbecue", "Мангал"))),
    Category("Sport", "Спорт", 5941, 2800, 0.8, 0, 0.3, 5, 1.1, "Clothes", 0.3,
             (("Running shoes", "Кроссовки"), ("Yoga mat", "Коврик для йоги"), ("Ball", "Мяч"))),
    Category("Skiing", "Лыжи и зима", 5941, 6500, 0.8, 0, 0.8, 1, 1.2, "Skiing", 0.8,
             (("Skis", "Лыжи"), ("Ski boots", "Лыжные ботинки"), ("Thermal wear", "Термобельё"))),
    Category("Clothes", "Одежда", 5651, 2600, 0.7, 0, 0.2, 10, 1.3, "Clothes", 0.5,
             (("Jeans", "Джинсы"), ("Jacket", "Куртка"), ("T-shirt", "Футболка"), ("Dress", "Платье"))),
    Category("Books", "Книги", 5942, 560, 0.5, 0, 0.15, 11, 1.1, "Books", 0.7,
             (("Novel", "Роман"), ("Textbook", "Учебник"), ("Cookbook", "Кулинарная книга"))),
    Category("Games", "Игры", 5816, 1500, 0.8, 0, 0.2, 12, 1.4, "Games", 0.7,
             (("Strategy game", "Стратегия"), ("Racing game", "Гонки"), ("Puzzle game", "Головоломка"))),
    Category("Cars", "Автотовары", 5533, 1700, 0.9, 0, 0.3, 10, 1.1, "Cars", 0.4,
             (("Motor oil", "Моторное масло"), ("Wipers", "Дворники"), ("Winter tyre", "Зимняя шина"))),
    Category("Travel", "Путешествия", 4722, 9800, 0.8, 0, 0.6, 7, 0.8, "Travel", 0.9,
             (("Hotel night", "Ночь в отеле"), ("City tour", "Экскурсия"), ("Suitcase", "Чемодан"))),
)  # fmt: skip

BRANDS: tuple[tuple[str, str], ...] = (
    ("Aurora", "Аврора"), ("Beryoza", "Берёза"), ("Volga", "Волга"), ("Granit", "Гранит"), ("Dubrava", "Дубрава"),
    ("Yel", "Ель"), ("Zhuravl", "Журавль"), ("Zarya", "Заря"), ("Iskra", "Искра"), ("Kedr", "Кедр"),
    ("Ladoga", "Ладога"), ("Mayak", "Маяк"), ("Neva", "Нева"), ("Onega", "Онега"), ("Polyus", "Полюс"),
    ("Rassvet", "Рассвет"), ("Sokol", "Сокол"), ("Taiga", "Тайга"), ("Ural", "Урал"), ("Fregat", "Фрегат"),
    ("Khvoya", "Хвоя"), ("Chaika", "Чайка"), ("Shtorm", "Шторм"), ("Yuzhny", "Южный"), ("Yantar", "Янтарь"),
)  # fmt: skip

VARIANTS: tuple[tuple[str, str], ...] = (
    ("classic", "классический вариант"), ("family size", "семейная упаковка"), ("mini", "мини"),
    ("for children", "для детей"), ("premium", "премиум"), ("light", "лёгкий вариант"), ("blue", "синий цвет"),
    ("green", "зелёный цвет"), ("black", "чёрный цвет"), ("white", "белый цвет"), ("two in one", "два в одном"),
    ("limited edition", "ограниченная серия"),
)  # fmt: skip

QUALITIES: tuple[tuple[str, str], ...] = (
    ("made of natural materials", "из натуральных материалов"), ("for every day", "на каждый день"),
    ("a good gift", "хороший подарок"), ("chosen by our customers", "выбор наших покупателей"),
    ("new recipe", "новый рецепт"), ("long life", "служит долго"), ("easy to use", "просто пользоваться"),
    ("local producer", "местный производитель"),
)  # fmt: skip

REGIONS: tuple[tuple[str, float], ...] = (
    ("Москва", 0.28), ("Санкт-Петербург", 0.14), ("Екатеринбург", 0.08), ("Новосибирск", 0.08), ("Казань", 0.07),
    ("Нижний Новгород", 0.06), ("Краснодар", 0.08), ("Владивосток", 0.05), ("Алматы", 0.08), ("Минск", 0.08),
)  # fmt: skip
"""Name and share of clients."""

CURRENCY_OF: dict[str, tuple[str, float]] = {"Алматы": ("KZT", 5.6), "Минск": ("BYN", 0.036)}
"""Regions that don't pay in RUB: currency and units of it for one rouble."""

AGE_BANDS: tuple[tuple[str, float], ...] = (
    ("18-24", 0.15), ("25-34", 0.27), ("35-44", 0.24), ("45-54", 0.17), ("55-64", 0.11), ("65+", 0.06),
)  # fmt: skip

MERCHANTS = ("Центр", "Market", "24 часа", "Express", "Online")
"""Kinds of shop; each category has one of each."""
