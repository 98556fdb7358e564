"""What follows "I'm" with a capital letter, or 我是, and is no name."""

from __future__ import annotations

import re

_WORDS = """
afghan african albanian algerian american arab arabic arabian argentine argentinian armenian
asian australian austrian bangladeshi basque belgian bolivian bosnian brazilian british briton
bulgarian cambodian canadian cantonese catalan caucasian chilean chinese colombian croatian
cuban cypriot czech danish dane dutch ecuadorian egyptian english estonian ethiopian european
filipino finnish finn flemish french georgian german ghanaian greek hawaiian hispanic hungarian
icelandic indian indonesian iranian iraqi irish israeli italian jamaican japanese jordanian
kazakh kenyan korean kurdish laotian latin latina latino latvian lebanese libyan lithuanian
malaysian maltese mandarin mexican mongolian moroccan nepali nigerian norwegian pakistani
palestinian persian peruvian polish pole portuguese romanian russian saudi scandinavian scottish
scot serbian singaporean slovak slovenian somali spanish spaniard swede swedish swiss syrian
taiwanese tanzanian thai tibetan tunisian turk turkish ukrainian vietnamese welsh yemeni
agnostic anglican baptist buddhist catholic christian hindu jewish jew lutheran methodist muslim
protestant sikh atheist orthodox mormon
aries taurus gemini cancer leo virgo libra scorpio sagittarius capricorn aquarius pisces
democrat republican tory vegan vegetarian
monday tuesday wednesday thursday friday saturday sunday january february march april june july
august september october november december christmas easter
i i'm i've i'd i'll ok okay sorry sure fine good great well back here there not just so very
really also still now already only always never afraid glad happy hungry thirsty tired busy sick
ready done gonna going trying looking thinking wondering the a an and or but my your his her our
their this that it yes no yeah nope please hello hi hey thanks thank you what who where when why
how which all both one two three doctor mr mrs ms dr professor god lord mom mum dad mommy daddy
everyone everybody nobody anybody somebody guys folks ladies gentlemen darling honey sweetie
dear madam sir alexa siri google cortana later again today tonight tomorrow crazy maybe back
anything anytime whatever old new
paris london berlin rome madrid beijing shanghai tokyo helsinki england germany france italy
spain china japan america europe africa asia australia canada mexico india russia
"""
NO_NAMES = frozenset(_WORDS.split())
"""Lower case."""

_SOMETIMES = (
    "june april may august christian leo chilean jordan india paris london geneva china dane finn "
    "scot german french english holland israel america europe madrid will mark rose grace"
)
SOMETIMES_NAMES = frozenset(_SOMETIMES.split())
"""They are names where somebody says "call me June", or "my name is Christian"."""

SURNAMES = frozenset(
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜"
    "崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤欧司"
)
NO_CHINESE_NAMES = re.compile(
    r"[的了在吗呢们你我他她它不这那没想要会能就去来说很太也都和]|[人员生师家者医工长手]$|"
    r"^(?:老师|老板|老大|老外|老公|老婆|小孩|小时|大家|大学|高中|高兴|高级|高手|方便|白天|金融|程序|任何|于是|向导|"
    r"万一|石头|马上|江苏|武汉|何必|余下|大概|大约|大夫|小心|小姐|从|来自|一|个|什么|谁|第|刚|男|女|素食)"
)
