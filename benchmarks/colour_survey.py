"""What people call colours: names with one plain colour in them, from the xkcd colour survey (CC0).

220,000 people named colours that they were shown; each name is given with the RGB value that it was
given most.
"""

from __future__ import annotations

_SURVEY = """
warm purple 952e8f, strong blue 0c06f7, deep turquoise 017374, strong pink ff0789
very light brown d3b683, ugly brown 7d7103, deep brown 410200, washed out green bcf5a6
very dark brown 1d0200, ugly blue 31668a, rich purple 720058, vivid purple 9900fa
muted pink d1768f, cool grey 95a3a6, true green 089404, flat blue 3c73a8
rich blue 021bf9, dirty purple 734a65, warm blue 4b57db, flat green 699d4c
warm pink fb5581, vivid blue 152eff, pastel red db5856, warm brown 964e02
dusty orange f0833a, dusty red b9484e, cool green 33b864, ugly purple a442a0
medium pink f36196, very light pink fff4f2, faded yellow feff7f, dirty blue 3f829d
faded orange f0944d, hot green 25ff29, cool blue 4984b8, dull brown 876e4b
vivid green 2fef10, pastel orange ff964f, ugly pink cd7584, muted purple 805b87
muted blue 3b719f, deep orange dc4d01, pale grey fdfdfe, dusky blue 475f94
light beige fffeb6, dusky purple 895b7b, ugly yellow d0c101, warm grey 978a84
soft purple a66fb5, medium grey 7d7f7c, dirty orange c87606, primary blue 0804f9
very dark purple 2a0134, medium brown 7f5112, muted green 5fa052, very light purple f6cefc
very dark blue 000133, dusty green 76a973, faded pink de9dac, soft pink fdb0c0
pale turquoise a5fbd5, pastel yellow fffe71, faded red d3494e, soft blue 6488ea
bright turquoise 0ffef9, dirty pink ca7b80, dull red bb3f3f, medium purple 9e43a2
very dark green 062e03, dusky pink cc7a8b, dull yellow eedc5b, hot purple cb00f5
faded blue 658cbb, dull orange d8863b, soft green 6fc276, bright orange ff5b00
faded purple 916e99, true blue 010fcc, dusty purple 825f87, dusty blue 5a86ad
bright yellow fffd01, dull purple 84597e, dirty green 667e2c, very light blue d5ffff
pastel pink ffbacd, very light green d1ffbd, dull pink d5869d, deep green 02590f
dusty pink d58a94, faded green 7bb274, pale brown b1916e, dull blue 49759c
medium green 39ad48, ugly green 7a9703, dark beige ac9362, pale red d9544d
dirty yellow cdc50a, deep red 9a0200, pastel purple caa0ff, deep pink cb0162
pastel blue a2bffe, pale orange ffa756, light turquoise 7ef4cc, dull green 74a662
dark turquoise 045c5a, bright red ff000d, medium blue 2c6fbb, light yellow fffe7a
light grey d8dcd6, pale purple b790d4, pale yellow ffff84, light red ff474c
pale pink ffcfdc, deep blue 040273, dark yellow d5b60a, dark grey 363737
dark orange c65102, pastel green b0ff9d, light orange fdaa48, bright pink fe01b1
deep purple 36013f, dark brown 341c02, bright purple be03fd, dark red 840000
pale blue d0fefe, bright blue 0165fc, light pink ffd1df, dark pink cb416b
pale green c7fdb5, light brown ad8150, hot pink ff028d, bright green 01ff07
dark purple 35063e, dark blue 00035b, dark green 033500, light purple bf77f6
light green 96f97b, light blue 95d0fc
"""

NAMES: tuple[tuple[str, tuple[int, int, int]], ...] = tuple(
    (name.rsplit(" ", 1)[0], tuple(bytes.fromhex(name.rsplit(" ", 1)[1])))  # type: ignore[misc]
    for line in _SURVEY.strip().splitlines()
    for name in line.split(", ")
)
"""("dark green", (3, 53, 0)) …"""
