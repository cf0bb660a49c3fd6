# Usage: AUTO OPTIONS TOKEN [SERVICE...]; the attach configuration on standard input.
# Ends with 3 if it was so already.
auto=$1 options=$2 token=$3
shift 3
if [ "$auto" = yes ] &&
    pro api u.pro.attach.auto.should_auto_attach.v1 </dev/null | grep -q '"should_auto_attach": *true'; then
    answer=$(pro api u.pro.attach.auto.full_auto_attach.v1 --data "$options" </dev/null) && exit 0
    case $answer in *'"already-attached"'*) exit 3 ;; esac
    printf '%s\n' "$answer"
    exit 1
fi
case $token in
given) ;;
not-needed) exit 3 ;;
*)
    echo 'this is no Ubuntu Pro instance, and there is no `ubuntu_pro.token`'
    exit 1
    ;;
esac
if [ $# = 0 ]; then
    pro attach --attach-config /dev/stdin
else
    pro attach --no-auto-enable --attach-config /dev/stdin
fi
# 2: it is attached already.
attached=$?
case $attached in
0) unchanged=0 ;;
2) unchanged=3 ;;
*) exit $attached ;;
esac
[ $# -gt 0 ] || exit $unchanged
answer=$(pro enable --assume-yes --format json "$@" </dev/null)
code=$?
printf '%s\n' "$answer"
case $code$answer in
1*'"service-already-enabled"'*) ;;
*) exit $code ;;
esac
# Whether there is another reason than that a service is enabled already. Warnings, behind the errors, are none.
if printf '%s\n' "${answer%%'"warnings":'*}" | grep -o '"message_code": *"[^"]*"' | grep -qv service-already-enabled; then
    exit 1
fi
exit $unchanged
