# the image account
