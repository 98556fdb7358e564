"""Scenes as a model tells them and eyes read them, with questions that each of them answers.

Described in English or Chinese, asked in both; and questions that nothing of it answers.
"""

from __future__ import annotations

SCENES: tuple[tuple[str, str, tuple[str, ...], tuple[str, ...]], ...] = (
    # what was told, what was read, questions in English, questions in Chinese
    ("A bunch of keys lies beside a blue bowl on the hall shelf.", "",
     ("Where did I put my keys?", "have you seen the keys"), ("我的钥匙放哪儿了？",)),
    ("A shop front with a striped awning at a street corner.", "Bäckerei Rosa\nopen from 7",
     ("What did the sign on the corner say?", "when does the bakery open"), ("面包店几点开门？",)),
    ("A pan with mushrooms and onions on the left burner of the stove.", "",
     ("What was on the stove?", "which vegetables were in the pan"), ("炉子上煮着什么？",)),
    ("A man unpacks a violin in the living room.", "",
     ("who had the violin", "What instrument was in the living room?"), ("谁拿了小提琴？",)),
    ("A railway platform with a departure board.", "Platform 4\nTurku 10:42",
     ("Which platform does the train to Turku leave from?",), ("去图尔库的火车在几号站台？",)),
    ("An open fridge: milk, two eggs, half a lemon, butter.", "",
     ("How many eggs are left in the fridge?", "is there milk"), ("冰箱里还有牛奶吗？",)),
    ("A black cat asleep on the windowsill between two plants.", "",
     ("Where was the cat?", "what was lying on the windowsill"), ("猫在哪里睡觉？",)),
    ("A desk with a laptop and a letter.", "Invoice 2291\nTotal 184.50 EUR\nDue 14 May",
     ("How much was the invoice?", "when is the bill due"), ("账单是多少钱？",)),
    ("A red bicycle with a flat tyre leans against the garage door.", "",
     ("Where is my bike?", "what was wrong with the bicycle"), ("我的自行车在哪里？",)),
    ("A medicine box on the bathroom shelf.", "Ibuprofen 400 mg",
     ("Which pills were in the bathroom?", "how strong is the ibuprofen"), ("浴室里是什么药？",)),
    ("A child draws a dinosaur with green crayons at the kitchen table.", "",
     ("What was the child drawing?",), ("孩子在画什么？",)),
    ("A noticeboard in the stairwell.", "Water will be off on Tuesday 9-12",
     ("When will the water be off?", "what did the notice say about water"), ("什么时候停水？",)),
    ("An umbrella hangs on the coat rack next to a grey scarf.", "",
     ("Where is the umbrella?",), ("雨伞在哪儿？",)),
    ("A restaurant menu on the wall.", "Lunch: salmon soup 12.90\nVeggie burger 13.50",
     ("How much was the salmon soup?", "what was for lunch"), ("三文鱼汤多少钱？",)),
    ("A woman in a yellow coat waters tomato plants on a balcony.", "",
     ("Who watered the tomatoes?", "what grew on the balcony"), ("阳台上种了什么？",)),
    ("A parking meter in a narrow street.", "Mo-Fr 8-18 max 2 h",
     ("How long may I park there?",), ("那里可以停车多久？",)),
    ("白色的书架上放着一副眼镜和几本小说。", "",
     ("Where are my glasses?",), ("我的眼镜在哪里？", "书架上有什么")),
    ("地铁站的出口指示牌。", "A口 人民广场\nB口 南京路",
     ("Which exit is for Nanjing Road?",), ("去南京路走哪个出口？", "牌子上写了什么出口")),
    ("桌子上有一碗面条和一双筷子。", "",
     ("What was there to eat on the table?",), ("桌上有什么吃的？", "谁的面条在桌上")),
    ("药店的橱窗，门上贴着一张纸。", "营业时间 9:00-21:00",
     ("When does the pharmacy close?",), ("药店几点关门？",)),
    ("沙发上放着一个蓝色的背包。", "",
     ("Where was the blue backpack?",), ("背包放在哪儿了？", "沙发上是什么")),
    ("一辆出租车停在酒店门口。", "沪A·D3321",
     ("What was the taxi's number plate?",), ("出租车的车牌号是多少？",)),
    ("白板上画着一张图，旁边写着待办事项。", "1 订机票 2 回复王老师 3 买牛奶",
     ("What was on the to-do list?",), ("白板上写了什么？", "待办事项有哪些")),
    ("阳台上晾着一条绿色的床单。", "",
     ("What colour was the sheet on the balcony?",), ("阳台上晾着什么？",)),
)  # fmt: skip

UNSEEN = (
    "Where is the elephant?", "what did the pilot announce", "how tall is the lighthouse",
    "Which team won the match?", "tell me a joke", "what time is it in Tokyo",
    "Who broke the telescope?", "how do I bake a cake", "thank you, that is all",
    "what's the capital of Peru", "can you sing something", "did the parcel arrive",
    "长颈鹿在哪里？", "谁赢了比赛？", "讲个笑话吧", "东京现在几点？", "望远镜是谁弄坏的？",
    "怎么做蛋糕？", "谢谢，没事了", "灯塔有多高？", "飞机晚点了吗？", "帮我唱首歌",
)  # fmt: skip
