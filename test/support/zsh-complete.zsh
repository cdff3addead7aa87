# Prints what zsh offers for a line: zsh -f zsh-complete.zsh FOLDER LINE, with _nettrace in FOLDER.
# Completion works only in a shell that edits a line, so one is started on a terminal of its own, and typed to.
if [[ $1 != --inner ]]; then
    export OFFERS=$(mktemp) FOLDER=$1
    zmodload zsh/zpty
    zpty inner zsh -f -i
    zpty -w inner "source ${0:A} --inner"
    zpty -r inner text '*<READY>*'
    zpty -w -n inner "$2"$'\C-t'
    zpty -r inner text '*<DONE>*'
    zpty -d inner
    sort -u $OFFERS
    rm $OFFERS
    exit
fi

fpath=($FOLDER $fpath)
autoload -Uz compinit
compinit -u -D

# What matches goes to the file; calls that only ask what would match are left alone.
compadd() {
    local -a matches
    if ((!${argv[(I)-O]} && !${argv[(I)-A]} && !${argv[(I)-D]})); then
        builtin compadd -O matches "$@"
        ((!$#matches)) || print -rl -- $matches >>$OFFERS
    fi
    builtin compadd "$@"
}

offer() {
    zle complete-word
    print -n "<DO""NE>"
}
zle -N offer
bindkey '^T' offer
print "<REA""DY>"
