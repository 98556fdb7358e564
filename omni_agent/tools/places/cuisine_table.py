"""What people ask for, in English and Chinese, in the map's words. Data; read by cuisine.py."""

from __future__ import annotations

from typing import NamedTuple


class Taste(NamedTuple):
    """One thing that people ask for."""

    en: str
    """How people say it, by "|"; the first is the name."""
    zh: str
    cuisines: str = ""
    """OSM cuisine values that are it."""
    near: str = ""
    """OSM cuisine values that often have it."""
    kinds: str = ""
    """Kinds of place that have it."""
    diet: str = ""
    hints: str = ""
    """Beginnings of words in a place's name that give it away; whole words up to four letters."""


TASTES = (
    # Japan, China, and the rest of Asia
    Taste("sushi|sashimi", "寿司|刺身|生鱼片", "sushi", "japanese", hints="sushi"),
    Taste("ramen", "拉面|日式拉面", "ramen", "japanese noodle", hints="ramen"),
    Taste(
        "Japanese", "日料|日本料理|日本菜|日式|日餐", "japanese sushi ramen udon izakaya okinawan",
        "asian", hints="sushi ramen izakaya japan",
    ),
    Taste("izakaya", "居酒屋", "izakaya", "japanese", hints="izakaya"),
    Taste(
        "Chinese", "中餐|中国菜|中式|中餐馆", "chinese dim_sum sichuan cantonese dumpling hotpot",
        "asian", hints="china chinese kiina",
    ),
    Taste("Sichuan|szechuan", "川菜|四川", "sichuan szechuan", "chinese", hints="sichuan szechuan"),
    Taste("Cantonese", "粤菜|广东菜", "cantonese dim_sum", "chinese"),
    Taste("dim sum", "点心|早茶|茶点", "dim_sum", "cantonese chinese", hints="dim_sum"),
    Taste(
        "dumplings|dumpling|gyoza", "饺子|水饺|锅贴", "dumpling dumplings gyoza",
        "chinese japanese", hints="dumpling gyoza",
    ),
    Taste("hot pot|hotpot", "火锅", "hotpot hot_pot", "chinese sichuan", hints="hotpot"),
    Taste(
        "noodles|noodle", "面条|面馆|面食|吃面|米粉|河粉",
        "noodle noodles ramen udon soba pho", "chinese vietnamese thai japanese asian",
        hints="noodle ramen pho",
    ),
    Taste("Korean", "韩国菜|韩餐|韩式|韩料", "korean bibimbap", "asian", hints="korea"),
    Taste("Thai", "泰国菜|泰餐|泰式", "thai", "asian", hints="thai"),
    Taste("pho", "越南粉|越南河粉", "pho", "vietnamese", hints="pho"),
    Taste("Vietnamese", "越南菜|越南", "vietnamese pho", "asian", hints="vietnam"),
    Taste("Indian", "印度菜|印度", "indian tandoori", "nepalese pakistani", hints="india"),
    Taste("curry", "咖喱", "curry", "indian thai nepalese japanese", hints="curry"),
    Taste("Nepalese|nepali", "尼泊尔菜|尼泊尔", "nepalese nepali", "indian", hints="nepal"),
    Taste("Pakistani", "巴基斯坦", "pakistani", "indian"),
    Taste("Indonesian", "印尼菜|印尼", "indonesian", "asian malaysian"),
    Taste("Malaysian", "马来菜|马来西亚", "malaysian", "asian indonesian"),
    Taste("Filipino", "菲律宾菜|菲律宾", "filipino", "asian"),
    Taste(
        "Asian", "亚洲菜|亚洲", "asian chinese japanese thai vietnamese korean sushi noodle ramen",
        "indian nepalese", hints="asia",
    ),
    Taste("poke|poke bowl", "波奇饭", "poke hawaiian", "sushi japanese", hints="poke"),
    Taste("bubble tea|boba|milk tea", "奶茶|珍珠奶茶", "bubble_tea", hints="bubble boba"),
    Taste(
        "spicy|hot and spicy|something spicy", "辣的|吃辣|辣一点|麻辣|辣",
        "sichuan szechuan thai indian korean mexican nepalese hotpot curry",
        "chinese vietnamese tex_mex pakistani",
    ),
    # Near the Mediterranean, and eastwards
    Taste("pizza|pizzeria", "披萨|比萨|匹萨|披薩", "pizza", "italian", hints="pizza pizzeria"),
    Taste("pasta|spaghetti", "意面|意大利面|通心粉", "pasta", "italian", hints="pasta"),
    Taste(
        "Italian", "意大利菜|意餐|意大利|意式", "italian pasta", "pizza mediterranean",
        hints="ristorante trattoria osteria",
    ),
    Taste("Greek", "希腊菜|希腊", "greek", "mediterranean", hints="greek"),
    Taste("Spanish", "西班牙菜|西班牙", "spanish tapas", "mediterranean", hints="tapas espanola"),
    Taste("tapas", "塔帕斯|西班牙小吃", "tapas", "spanish", hints="tapas"),
    Taste("Portuguese", "葡萄牙菜|葡萄牙", "portuguese", "mediterranean"),
    Taste("French|bistro|brasserie", "法国菜|法餐|法式", "french bistro brasserie", "crepe",
          hints="bistro brasserie"),
    Taste("crepes|crepe|pancakes|pancake", "可丽饼|薄饼|煎饼|松饼", "crepe pancake", "french",
          hints="crepe pancake"),
    Taste("Mediterranean", "地中海菜|地中海", "mediterranean greek italian spanish turkish"),
    Taste("Turkish", "土耳其菜|土耳其", "turkish kebab", "middle_eastern", hints="turkish"),
    Taste("kebab|kebabs|doner|shawarma", "烤肉卷|土耳其烤肉|旋转烤肉|卡巴", "kebab shawarma doner",
          "turkish middle_eastern", hints="kebab"),
    Taste("falafel|hummus", "法拉费|鹰嘴豆", "falafel", "middle_eastern lebanese israeli",
          hints="falafel"),
    Taste("Lebanese", "黎巴嫩菜|黎巴嫩", "lebanese", "middle_eastern"),
    Taste("Middle Eastern|Arabic|Persian", "中东菜|阿拉伯菜|波斯菜|清真菜",
          "middle_eastern lebanese arab persian syrian", "turkish kebab falafel"),
    Taste("Georgian", "格鲁吉亚菜|格鲁吉亚", "georgian", "russian", hints="georgia"),
    Taste("Russian", "俄罗斯菜|俄国菜|俄餐", "russian", "ukrainian georgian"),
    Taste("African|Ethiopian|Eritrean", "非洲菜|埃塞俄比亚", "african ethiopian eritrean"),
    # The north and the middle of Europe
    Taste("Finnish|local food|local", "芬兰菜|芬兰|本地菜|当地菜|特色菜|本地特色|当地美食",
          "finnish regional nordic local", "scandinavian", hints="lappi suomi"),
    Taste("Nordic|Scandinavian|Swedish", "北欧菜|北欧|瑞典菜", "nordic scandinavian swedish",
          "finnish regional"),
    Taste("German", "德国菜|德国|德餐", "german bavarian", hints="german"),
    Taste("British|fish and chips", "英国菜|炸鱼薯条", "british fish_and_chips", "fish"),
    Taste("Irish", "爱尔兰", "irish", kinds="pub", hints="irish"),
    # The Americas
    Taste("Mexican|tacos|taco|burrito|burritos", "墨西哥菜|墨西哥|塔可|卷饼",
          "mexican tex_mex taco burrito", "latin_american", hints="taco burrito mexic"),
    Taste("American|diner", "美国菜|美式", "american diner", "burger steak_house", hints="diner"),
    Taste("South American|Latin American|Brazilian|Peruvian|Argentinian",
          "南美菜|巴西菜|秘鲁菜|阿根廷菜", "latin_american brazilian peruvian argentinian"),
    Taste("burger|burgers|hamburger|hamburgers|cheeseburger", "汉堡|汉堡包", "burger hamburger",
          "american", hints="burger"),
    Taste("steak|steakhouse|steak house", "牛排|牛扒|扒房", "steak_house steak", "grill american",
          hints="steak"),
    Taste("barbecue|BBQ|grill|grilled meat", "烧烤|烤肉|烤串|撸串", "barbecue bbq grill",
          "steak_house korean kebab", hints="grill grilli bbq"),
    Taste("chicken|fried chicken|wings", "炸鸡|鸡翅|鸡肉", "chicken fried_chicken wings",
          "american", hints="chicken"),
    Taste("hot dog|hot dogs|sausage", "热狗|香肠", "hotdog hot_dog sausage", hints="hot_dog wurst"),
    # By what is on the plate
    Taste("seafood|fish", "海鲜|鱼|吃鱼", "seafood fish", "sushi nordic", hints="seafood fish"),
    Taste("soup", "汤|喝汤", "soup", "ramen pho", hints="soup keitto"),
    Taste("salad|salads", "沙拉|色拉", "salad", "vegetarian vegan", hints="salad"),
    Taste("sandwich|sandwiches|bagel|bagels|panini", "三明治|贝果|百吉饼",
          "sandwich bagel panini", hints="sandwich bagel subway"),
    Taste("healthy|something light", "健康餐|轻食|清淡",
          "salad vegetarian vegan poke", "juice sushi"),
    Taste("buffet", "自助餐|自助", "buffet", hints="buffet"),
    Taste("fine dining|fancy|romantic|upscale", "高级餐厅|高档|浪漫", "fine_dining", "french",
          hints="fine_dining"),
    Taste("breakfast|brunch", "早餐|早饭|早午餐|早点", "breakfast brunch", "coffee_shop bagel",
          "cafe bakery", hints="brunch breakfast"),
    # Sweet things and drinks
    Taste("ice cream|gelato|frozen yogurt", "冰淇淋|冰激凌|雪糕", "ice_cream frozen_yogurt gelato",
          kinds="ice_cream", hints="gelato jäätelö ice_cream"),
    Taste("cake|cakes|dessert|desserts|pastry|pastries|something sweet|sweets|donut|donuts",
          "蛋糕|甜点|甜品|糕点|甜的|甜甜圈", "cake dessert pastry donut", "coffee_shop ice_cream",
          "pastry bakery cafe", hints="konditoria cake donut"),
    Taste("bakery|bread|croissant|bun|cinnamon bun", "面包店|面包|烘焙|可颂|肉桂卷",
          "bakery", "cake", "bakery pastry", hints="leipomo bakery"),
    Taste("coffee|cafe|café|coffee shop|cappuccino|espresso|latte|coffeehouse",
          "咖啡|咖啡馆|咖啡店|咖啡厅|拿铁", "coffee_shop coffee", kinds="cafe coffee",
          hints="coffee kahvi espresso cafe"),
    Taste("tea|tea house|tea room|teahouse", "茶|茶馆|喝茶|茶室", "tea tea_house", "coffee_shop",
          "tea cafe", hints="tea teehaus"),
    Taste("juice|smoothie|smoothies", "果汁|冰沙|奶昔", "juice smoothie", "salad", hints="juice"),
    Taste("beer|craft beer|brewery|ale", "啤酒|精酿", "beer brewery", kinds="pub bar biergarten",
          hints="beer brewery bryggeri bier olut taproom"),
    Taste("wine|wine bar", "葡萄酒|红酒|酒庄", "wine", kinds="bar", hints="wine viini"),
    Taste("cocktail|cocktails|cocktail bar", "鸡尾酒", "cocktail", kinds="bar", hints="cocktail"),
    # Diets
    Taste("vegan|plant-based|plant based", "纯素|全素|严格素食", diet="vegan"),
    Taste("vegetarian|veggie|veggies|meatless|meat-free", "素食|吃素|素菜|素餐|素的",
          diet="vegetarian"),
    Taste("gluten-free|gluten free|coeliac|celiac", "无麸质|不含麸质|无麦麸|麸质",
          diet="gluten_free"),
    Taste("lactose-free|lactose free|dairy-free", "无乳糖|不含乳糖|乳糖", diet="lactose_free"),
    Taste("halal", "清真", diet="halal"),
    Taste("kosher", "犹太洁食|洁食", diet="kosher"),
    # Kinds of place: these yield to anything more telling in the same words
    Taste("bar|bars|drinks|a drink|nightlife", "酒吧|喝酒|喝一杯|小酌", kinds="bar pub"),
    Taste("pub|pubs", "酒馆|小酒馆", kinds="pub bar biergarten"),
    Taste("fast food|quick bite|cheap|cheap eats|takeaway|snack|snacks|street food",
          "快餐|便宜|小吃|外卖|便宜点|零食", kinds="fast_food food_court"),
    Taste("food court|food hall|market hall", "美食广场|美食城", kinds="food_court"),
    Taste("beer garden|biergarten|terrace", "啤酒花园|露台", kinds="biergarten pub"),
    Taste("restaurant|restaurants",
          "餐厅|餐馆|饭店|馆子", kinds="restaurant"),
    Taste("something to drink", "喝的|喝点东西", kinds="cafe bar pub"),
    Taste("food|something to eat|dinner|lunch|a meal|meal|eat out|eat|hungry",
          "吃的|吃饭|晚饭|午饭|晚餐|午餐|正餐|美食|吃点东西|饿",
          kinds="restaurant fast_food food_court"),
)  # fmt: skip
