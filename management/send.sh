#!/bin/sh
# Sends a message without Python, for containers, hooks and cron. The drop and the refusals are those of
# `ai-bridge send`, in four small processes (date, dd, mv, sync) and one more dd per further recipient. The limits
# (max_hops, pair_per_hour) are kept by the router: a message beyond one is held, and its sender gets a notice.
#
# usage: management/send.sh [options] RECIPIENT[,...]|'#GROUP'|'*' [SUBJECT]       the body is read from standard input
#   --from ADDRESS, --agent ADDRESS   the sender (else AI_BRIDGE_AGENT, AI_CONNECT_PEER_NAME)
#   --mailboxes DIR                   the mailboxes (else AI_BRIDGE_MAILBOXES, the nearest upward, the main
#                                     worktree's, the user's own)
#   --file PATH                       read the body from a file
#   --reply-to ID                     answer that message, in its thread; the subject is then Re: and that message's
#   --urgency now|next|quiet          how hard the recipient's session is rung (else next)
#   --allow-empty                     send even an empty body
# Prints the ID once the message is safe on the disk. Exit codes: 0 sent, 1 refused, 2 usage.
#
# The shell cannot look into the body. The router checks that the body is UTF-8, and notifies the sender if it is not.
set -uf
LC_ALL=C
export LC_ALL
umask 077

newline='
'
# A relative path would mean another folder in each project. Source: XDG Base Directory.
case ${XDG_CONFIG_HOME:-} in /*) ;; *) XDG_CONFIG_HOME='' ;; esac
case ${XDG_DATA_HOME:-} in /*) ;; *) XDG_DATA_HOME='' ;; esac
mailboxes=${AI_BRIDGE_MAILBOXES:-}
from=${AI_BRIDGE_AGENT:-${AI_CONNECT_PEER_NAME:-}}
recipient='' subject='' has_subject='' file='' reply_to='' thread='' urgency='' allow_empty='' temporary='' known=''

refuse() {
    if [ -n "$temporary" ]; then
        set +f
        rm -f -- "$temporary".*
    fi
    printf 'error: %s\n' "$1" >&2
    exit "${2:-1}"
}

usage() { refuse "$1; usage: send.sh [options] RECIPIENT [SUBJECT], send.sh --help lists the options" 2; }

show_help() {
    while IFS= read -r line; do
        case $line in
            '#!'*) ;;
            '#'*) line=${line#'#'} && printf '%s\n' "${line# }" || exit 1 ;;
            *) exit 0 ;;
        esac
    done <"$0"
}

# --- read the command line ------------------------------------------------------------------------------

read_words() {
    while [ $# -gt 0 ]; do
        case $1 in
            --from | --agent | --mailboxes | --file | --reply-to | --urgency)
                [ $# -gt 1 ] || usage "$1 needs a value"
                take_value "$1" "$2"
                shift
                ;;
            --*=*) take_value "${1%%=*}" "${1#*=}" ;;
            --allow-empty) allow_empty=yes ;;
            -h | --help) show_help ;;
            -?*) usage "there is no option $1" ;;
            *) take_plain "$1" ;;
        esac
        shift
    done
    [ -n "$recipient" ] || usage "the recipient is missing"
    [ -n "$has_subject" ] || subject=message
}

take_value() {
    case $1 in
        --from | --agent) from=$2 ;;
        --mailboxes) mailboxes=$2 ;;
        --file) file=$2 ;;
        --reply-to) reply_to=$2 ;;
        --urgency) urgency=$2 ;;
        *) usage "there is no option $1" ;;
    esac
}

take_plain() {
    if [ -z "$recipient" ]; then
        recipient=$1
    elif [ -z "$has_subject" ]; then
        subject=$1 has_subject=yes
    else
        usage "there are too many words"
    fi
}

# --- find the mailboxes and the agents ------------------------------------------------------------------

# Succeeds if $1 holds an outbox. Puts the agents that have one into `known`, separated by commas.
look_for_agents() {
    known=''
    set +f
    for outbox in "$1"/*-outbox; do
        [ -d "$outbox" ] && [ ! -h "$outbox" ] || continue
        agent=${outbox##*/}
        agent=${agent%-outbox}
        case $agent in [!a-z]* | *[!a-z0-9_@-]* | postmaster) continue ;; esac
        known="$known${known:+, }$agent"
    done
    set -f
    [ -n "$known" ]
}

find_mailboxes() {
    if [ -n "$mailboxes" ]; then
        ! is_in_clients_shell || ! is_in_project || is_adopted || refuse_unadopted
        look_for_agents "$mailboxes" || refuse "$mailboxes is not a mailboxes directory with agents in it: if it is a share, mount it; if it is new, run \`ai-bridge init --mailboxes $mailboxes\`"
        return
    fi
    directory=$PWD
    while ! look_for_agents "$directory/mailboxes" && ! look_for_agents "$directory/.server"; do
        if [ -z "$directory" ]; then
            ! look_in_main_worktree || break
            mailboxes=${XDG_DATA_HOME:-${HOME:-}/.local/share}/ai-bridge/mailboxes
            look_for_agents "$mailboxes" || refuse "no mailboxes found from $PWD upwards nor in $mailboxes: run \`ai-bridge init\` here, or name them with --mailboxes DIR"
            return
        fi
        directory=${directory%/*}
    done
    mailboxes=$directory/mailboxes
    look_for_agents "$mailboxes" || mailboxes=$directory/.server
    look_for_agents "$mailboxes"
    is_adopted || refuse_unadopted
}

# Succeeds if this is a linked worktree of git whose main worktree holds mailboxes; puts that into `directory`.
look_in_main_worktree() {
    folder=$(pwd -P)
    while [ -n "$folder" ] && [ ! -e "$folder/.git" ]; do
        folder=${folder%/*}
    done
    [ -f "$folder/.git" ] && IFS= read -r inner <"$folder/.git" || return 1
    inner=$(cd -P -- "$folder" && cd -P -- "${inner#gitdir: }" && pwd) || return 1
    { IFS= read -r back <"$inner/gitdir" && IFS= read -r common <"$inner/commondir"; } 2>/dev/null || return 1
    back=$(cd -P -- "$inner" && cd -P -- "${back%/.git}" && pwd) || return 1
    directory=$(cd -P -- "$inner" && cd -P -- "$common" && pwd) || return 1
    case ${directory##*/} in .*) directory=${directory%/*} ;; esac
    [ "$back" = "$folder" ] && { look_for_agents "$directory/mailboxes" || look_for_agents "$directory/.server"; }
}

# The digits behind `.format-` in the name of a file give the tree's format; without one it is 1.
check_format() {
    set +f
    for one in "$mailboxes"/.format-*; do
        number=${one##*/.format-}
        number=${number%%[!0-9]*}
        case $number in
            '' | 0 | 1) ;;
            *) refuse "$mailboxes has format $number, and only format 1 is understood here: nothing there was touched; update ai-bridge, then try again" ;;
        esac
    done
    set -f
}

refuse_unadopted() {
    refuse "$mailboxes is not adopted: mailboxes that came with a repository could move your files or bring you somebody's mail; if you trust them, run \`ai-bridge init --mailboxes $mailboxes\` in a terminal of your own"
}

is_in_clients_shell() {
    [ -n "${CLAUDECODE:-}${GEMINI_CLI:-}${CODEX_THREAD_ID:-}${CLAUDE_CODE_SESSION_ID:-}" ]
}

# Succeeds if the mailboxes are in a git repository or below this directory. A home directory is no project.
is_in_project() {
    find_real_path
    folder=$written
    while [ -n "$folder" ]; do
        if [ -e "$folder/.git" ] || [ "$folder" = "$(pwd -P)" ]; then
            case ${HOME:-/}/ in "$folder"/*) ;; *) return 0 ;; esac
        fi
        folder=${folder%/*}
    done
    return 1
}

# Puts the real path of the mailboxes into `written`.
find_real_path() {
    written=$(CDPATH='' cd -P -- "$mailboxes" 2>/dev/null && printf '%s/' "$PWD")
    written=${written%/}
}

# Succeeds if the user adopted the mailboxes: the user's list names the real path, with an ID that is in the tree.
is_adopted() {
    find_real_path
    encode % %25
    encode "$newline" %0A
    list=${XDG_CONFIG_HOME:-${HOME:-}/.config}/ai-bridge/adopted
    [ -f "$list" ] || return 1
    while IFS= read -r line || [ -n "$line" ]; do
        id=${line%% *}
        [ "${line#* }" = "$written" ] || continue
        case $id in '' | *[!0-9a-f]*) continue ;; esac
        [ ! -e "$mailboxes/.adopted/$id" ] || return 0
    done <"$list"
    return 1
}

# Replaces $1 by $2 in `written`.
encode() {
    left=$written written=''
    while [ "$left" != "${left#*"$1"}" ]; do
        written=$written${left%%"$1"*}$2 left=${left#*"$1"}
    done
    written=$written$left
}

check_agent() {
    [ "$1" != postmaster ] || refuse "postmaster only writes notices: it reads no mail and nobody sends in its name"
    case $1 in *[,\ ]*) ;; *) case ", $known, " in *", $1, "*) return ;; esac ;; esac
    for part in "${1%%@*}" "${1#*@}"; do
        case $part in
            [!a-z]* | *[!a-z0-9_-]* | '') refuse "'$1' is not an address: an address is name or name@project, each a lower-case letter followed by at most 31 of a-z, 0-9, _ and -" ;;
        esac
    done
    refuse "there is no agent $1; known: $known (add one with \`ai-bridge init $1\`)"
}

# A short name means an agent of the sender's project, else the agent that has just this name.
find_meant() {
    case $one in *[,\ @]*) return ;; esac
    case ", $known, " in *", $one$project, "*) [ "$one$project" = "$from" ] || { one=$one$project && return; } ;; *", $one, "*) return ;; esac
    list_agents "$one" '@*'
    case $meant in '') return ;; *,*) verb=are ;; *) verb=is ;; esac
    refuse "$one is no agent ${of_project:-here}, but $meant $verb: give the whole address to write to another project"
}

# Puts the known agents whose name and @project match the patterns $1 and $2 into `meant`, separated by commas.
list_agents() {
    left="$known, " meant=''
    while [ -n "$left" ]; do
        other=${left%%, *} left=${left#*, }
        case ${other%%@*} in $1) ;; *) continue ;; esac
        case ${other#"${other%%@*}"} in $2) meant=$meant${meant:+, }$other ;; esac
    done
}

# Puts the recipients into `recipients`, separated by spaces: each is known and there once.
check_recipients() {
    recipients='' rest=$recipient,
    project=${from#"${from%%@*}"}
    of_project=${project:+of the project ${project#@}}
    if [ "$recipient" = '*' ]; then
        list_agents '*' "$project"
        rest=$meant,
    fi
    while [ -n "$rest" ]; do
        one=${rest%%,*} rest=${rest#*,}
        one=${one#"${one%%[! ]*}"} one=${one%"${one##*[! ]}"}
        [ -n "$one" ] || continue
        case $one in '#'*)
            find_members "$one"
            rest=$meant,$rest
            continue
            ;;
        esac
        find_meant
        check_agent "$one"
        [ "$recipient$one" != "*$from" ] || continue
        case " $recipients " in *" $one "*) ;; *) recipients="$recipients${recipients:+ }$one" ;; esac
    done
    [ -n "$recipients" ] || refuse_nobody
}

# Puts the other agents of the sender's project whose cards name the group $1 into `meant`, separated by commas.
find_members() {
    list_agents '*' "$project"
    near=$meant, meant='' known_groups=''
    while [ -n "$near" ]; do
        other=${near%%,*} near=${near#*,}
        other=${other# }
        [ -n "$other" ] && [ "$other" != "$from" ] || continue
        read_groups "$mailboxes/agents/$other.md"
        case " $groups " in *" $1 "*) meant=$meant${meant:+,}$other ;; esac
        for word in $groups; do
            case ", $known_groups, " in *", $word, "*) ;; *) known_groups=$known_groups${known_groups:+, }$word ;; esac
        done
    done
    [ -n "$meant" ] || refuse "nobody else in the project of $from is in the group $1: groups here are ${known_groups:-none yet} (\`ai-bridge card set groups=NAME ADDRESS\` puts an agent into one)"
}

# Puts the groups that the card $1 names into `groups`, as `#backend #review`; none if its agent was removed.
read_groups() {
    groups='' inside=''
    [ -f "$1" ] && [ ! -L "$1" ] || return 0
    while IFS= read -r line; do
        case $line in
            ---) if [ -n "$inside" ]; then return; else inside=yes; fi ;;
            'retired: '*)
                groups=''
                return
                ;;
            'groups: '*) list_groups "${line#groups: }" ;;
        esac
    done <"$1"
}

list_groups() {
    before=$IFS
    IFS=" ,[]'\"#"
    for word in $1; do
        [ -z "$word" ] || groups="$groups${groups:+ }#$word"
    done
    IFS=$before
}

refuse_nobody() {
    [ "$recipient" = '*' ] && refuse "To: * reaches nobody else in the project of $from (add an agent with \`ai-bridge init ADDRESS\`)"
    refuse "'$recipient' is not an address: an address is name or name@project, lower case"
}

check_subject() {
    case $subject in *"$newline"*) refuse "the subject holds a line break: a subject is one line of text" ;; esac
    ! holds_control "$subject" || refuse "the subject holds a control character: a subject is one line of text"
}

# Succeeds if $1 holds a control character; beyond ASCII these are U+0080 to U+009F, and the separators U+2028 and
# U+2029.
holds_control() {
    case $1 in
        *[[:cntrl:]]*) return 0 ;;
        *[!\ -~]*) ;;
        *) return 1 ;;
    esac
    c1=$(printf '\302')
    case $1 in
        *"$c1"["$(printf '\200')"-"$(printf '\237')"]* | *"$(printf '\342\200\250')"* | *"$(printf '\342\200\251')"*) return 0 ;;
        *) return 1 ;;
    esac
}

# Puts the thread of the answered message into `thread`: that message's `Thread`, or its ID if it has none. Without a
# subject of its own the answer gets that message's, behind one `Re:`.
find_thread() {
    [ -n "$reply_to" ] || return
    set +f
    for original in "$mailboxes"/*-outbox/"$reply_to".*.txt "$mailboxes"/*-outbox/.*/"$reply_to".*.txt; do
        [ -f "$original" ] && [ ! -L "$original" ] || continue
        set -f
        thread=$reply_to answered=''
        while IFS= read -r line && [ -n "$line" ]; do
            case $line in
                'Thread: '*) thread=${line#Thread: } ;;
                'Subject: '*) answered=${line#Subject: } ;;
            esac
        done <"$original"
        [ -n "$has_subject" ] || find_subject
        return
    done
    refuse "there is no message $reply_to in $mailboxes: \`ai-bridge history\` lists the IDs"
}

check_urgency() {
    case $urgency in
        '' | now | quiet) ;;
        next) urgency='' ;;
        *) refuse "a message is urgent now, next or quiet, not '$urgency'" ;;
    esac
}

# A subject that may not be sent as it is, is left out: the answer has the usual subject then.
find_subject() {
    while :; do
        case $answered in
            [Rr][Ee]:*) answered=${answered#???} ;;
            ' '*) answered=${answered# } ;;
            *) break ;;
        esac
    done
    ! holds_control "$answered" || return 0
    subject="Re: $answered"
    subject=${subject% }
}

# A mistake in the file that all share stops nobody. A mistake in the user's own file or variable is refused.
find_limit() {
    limit=${AI_BRIDGE_MAX_MESSAGE_BYTES:-}
    [ -n "$limit" ] || read_limit "${XDG_CONFIG_HOME:-${HOME:-}/.config}/ai-bridge/settings.toml"
    given=$limit
    if [ -n "$limit" ]; then
        is_limit || refuse "setting max_message_bytes is '$given', but must be a whole number of at least 1024"
        return
    fi
    [ -h "$mailboxes/settings.toml" ] || read_limit "$mailboxes/settings.toml"
    is_limit || limit=1048576
}

read_limit() {
    [ -f "$1" ] || return 0
    while IFS=' =' read -r key value _ || [ -n "$key" ]; do
        key=${key#\"}
        [ "${key%\"}" != max_message_bytes ] || limit=${value%%#*}
    done <"$1"
}

# Succeeds if `limit` is a valid limit, and makes it a plain number.
is_limit() {
    while [ "$limit" != "${limit#*_}" ]; do limit=${limit%%_*}${limit#*_}; done
    case $limit in
        '' | *[!0-9]* | ???????????*) return 1 ;;
    esac
    [ "$limit" -ge 1024 ]
}

# --- compose and drop -----------------------------------------------------------------------------------

compose() {
    # Not every `date` knows %N. Without it the microseconds are 0, and the order within a second is not kept.
    # shellcheck disable=SC2046
    set -- $(date -u '+%Y%m%d %H%M%S %Y-%m-%dT%H:%M:%S %N')
    [ $# -ge 3 ] || refuse "date does not tell the time"
    fraction=${4:-000000000}
    case $fraction in *[!0-9]* | ??????? | ?????? | ????? | ???? | ??? | ?? | ?) fraction=000000000 ;; esac
    micro=${fraction%???}
    id=$from-$1-$2-$micro-${fraction#??????}$$
    temporary=$outbox/.tmp/$id
    tail="Subject: $subject${newline}Date: $3.${micro}Z"
    [ -z "$reply_to" ] || tail="$tail${newline}In-Reply-To: $reply_to${newline}Thread: $thread"
    [ -z "$urgency" ] || tail="$tail${newline}Urgency: $urgency"
    if is_in_clients_shell; then
        tail="$tail${newline}Composed-By: model"
    elif [ -t 2 ]; then # a person's own message
        tail="$tail${newline}Hops: 0"
    fi
}

# Begins the file of recipient $1 with its headers, and leaves it open as 4. If a neighbour puts another file in its
# place meanwhile, everything is still written to the file that was made here, and everything is read from one file.
begin() {
    headers="ID: $id${newline}From: $from${newline}To: $1${newline}$tail"
    set -C
    { command exec 4>"$temporary.$1.txt"; } 2>/dev/null || refuse_temporary
    set +C
    { printf '%s\n\n' "$headers" >&4; } 2>/dev/null || refuse_temporary
}

refuse_temporary() { refuse "$outbox/.tmp cannot be written: is the disk full or read-only?"; }

check_directories() {
    [ ! -L "$outbox" ] || refuse "$outbox is a symbolic link: put the directory itself there"
    [ ! -L "$outbox/.tmp" ] || refuse "$outbox/.tmp is a symbolic link: remove it, a directory is made in its place"
    [ -d "$outbox/.tmp" ] || mkdir "$outbox/.tmp" 2>/dev/null || refuse "$outbox/.tmp cannot be made: check who owns it"
}

# The body of the first recipient's file comes from standard input. The file stays open as 3.
write_first() {
    if [ -n "$file" ] && [ "$file" != - ]; then
        [ -r "$file" ] && [ ! -d "$file" ] || refuse "$file cannot be read: check the path"
        exec <"$file"
    fi
    check_directories
    begin "$1"
    exec 3>&4
    first=$temporary.$1.txt skip=$((${#headers} + 2)) room=$((limit - ${#headers} - 1))
    [ "$room" -gt 1 ] || refuse_size
    told=$(dd bs="$room" count=1 iflag=fullblock conv=fsync 2>&1 >&4) || refuse_body
    case $told in
        1+0*) refuse_size ;;
        0+0*) [ -n "$allow_empty" ] || refuse "the body is empty: pipe text in or name a --file, or say --allow-empty" ;;
    esac
}

refuse_body() {
    told=${told%%"$newline"*}
    refuse "$outbox: the body cannot be written safely: ${told##*: }"
}

refuse_size() {
    refuse "the message is over the limit of $limit (setting max_message_bytes): send a file's path instead"
}

# The body of every other recipient's file is copied from the first.
write_other() {
    begin "$1"
    told=$(dd if=/dev/fd/3 bs=65536 iflag=skip_bytes skip="$skip" conv=fsync 2>&1 >&4) || refuse_body
}

# A router may take the files from the first move on. So nothing is taken back, and signals are ignored.
publish() {
    exec 3>&- 4>&- # a router waits for a file that is open for writing
    for one in "$@"; do
        [ -f "$one" ] && [ ! -L "$one" ] || refuse "$one was replaced while it was written: nothing was sent"
    done
    trap '' HUP INT TERM
    done=''
    for one in "$@"; do
        told=$(mv -n -- "$one" "$outbox/" 2>&1)
        if [ -e "$one" ]; then # mv's exit code says less: mv may look for a file that a router took meanwhile
            [ -z "$done" ] || refuse "$id was sent to $done of $# recipients and not to the others: ${told:-it exists already}"
            refuse "$outbox: the message cannot be moved there: ${told:-$id exists already, try again}"
        fi
        done=$((${done:-0} + 1))
    done
    sync -- "$outbox" || refuse "$id was sent, but $outbox cannot be made durable: look at the system log"
    temporary=''
}

read_words "$@"
find_mailboxes
check_format
[ -n "$from" ] || refuse "it is not known which agent you are: give --from ADDRESS or set AI_BRIDGE_AGENT (known: $known)"
check_agent "$from"
check_recipients
check_subject
check_urgency
find_thread
find_limit
outbox=$mailboxes/$from-outbox first='' tail=''
compose
trap 'refuse "interrupted: nothing was sent"' HUP INT TERM
set --
for one in $recipients; do
    if [ -z "$first" ]; then write_first "$one"; else write_other "$one"; fi
    set -- "$@" "$temporary.$one.txt"
done
publish "$@"
printf '%s\n' "$id" 2>/dev/null || refuse "sent as $id, but standard output took nothing"
