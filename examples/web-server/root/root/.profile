# root's
