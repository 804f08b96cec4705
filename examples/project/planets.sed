# A line "name number" becomes the initialiser {"name", number},
/^#/d
s/^\([a-z]*\) \([0-9]*\)$/{"\1", \2},/p
