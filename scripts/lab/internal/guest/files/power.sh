#!/bin/sh
# What acpid runs when the power button is pressed.
kill -TERM 1
