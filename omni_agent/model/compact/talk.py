"""Everyday talk that hardly any tool is for, in English and Chinese; the router is shown it."""

from __future__ import annotations

TALK = """\
Hello!
Hi there
Good morning
Good evening
Hey, how are you?
How's it going?
Nice to meet you
Thanks a lot
Thank you, that was helpful
That's very kind of you
Great
Perfect, thanks
Well done
Okay
All right
I see
Yes
No
No, thank you
Never mind
That's funny
Wow, really?
Goodbye
See you later
Good night
Who are you?
What's your name?
What can you do?
Are you a robot?
How old are you?
Where do you come from?
Do you understand me?
Do you like your job?
What do you think about that?
Tell me a joke
Tell me a story
Tell me something interesting
I'm a little sad today
I'm so happy
I'm tired
I'm bored
I had a long day
My name is Peter
I live in a small town
I have two brothers
My mother is a teacher
My dog is called Max
We moved house last year
I went to the dentist yesterday
My train was half an hour late
I'm going on holiday next week
I don't like Mondays
I love this song
My favourite colour is green
I used to play the violin
The neighbours are noisy again
My back hurts
It's hot today
That was a good idea
I think you're right
I'm not sure about that
Let me think
One moment, please
Why is the sky blue?
How many people live in China?
Who painted the Mona Lisa?
What's the capital of Spain?
How far away is the moon?
What does a lawyer do?
When did the war end?
How do planes fly?
What is the meaning of life?
What's five times twelve?
How do you say hello in French?
Is it better to rent or to buy?
Should I get a dog or a cat?
What do you recommend for a headache?
Why do people dream?
你好！
早上好
晚上好
你好吗？
很高兴认识你
谢谢
非常感谢你的帮助
你太好了
太好了
好的，谢谢
好
行
知道了
是的
不是
不用了，谢谢
没关系
真有意思
真的吗？
再见
回头见
晚安
你是谁？
你叫什么名字？
你会做什么？
你是机器人吗？
你几岁了？
你听得懂我说话吗？
你怎么看？
讲个笑话吧
给我讲个故事
说点有趣的事
我今天有点难过
我好开心
我累了
好无聊啊
今天真是漫长的一天
我叫小王
我住在一个小城市
我有两个弟弟
我妈妈是老师
我家的狗叫豆豆
我们去年搬了家
我昨天去看了牙医
火车晚点了半个小时
下周我要去度假
我不喜欢星期一
我最喜欢绿色
我以前拉过小提琴
邻居又在吵了
我背疼
今天真热
这主意不错
我觉得你说得对
我不太确定
让我想想
请稍等
天空为什么是蓝色的？
中国有多少人口？
蒙娜丽莎是谁画的？
西班牙的首都是哪里？
月亮离我们有多远？
律师是做什么的？
飞机是怎么飞起来的？
人生的意义是什么？
十二乘以五是多少？
法语的你好怎么说？
租房好还是买房好？
养狗好还是养猫好？
头疼怎么办？
人为什么会做梦？
""".splitlines()
