# dsq.bash - completion of dsq for bash: commands, options, files, tables and keys
# SPDX-License-Identifier: LGPL-2.1-or-later

# A call that must not ask for a password: it has no terminal.
_dsq_quiet ()
{
  setsid -w timeout 2 dsq "$@" 2>/dev/null </dev/null
}

_dsq_complete_lines ()
{
  local line IFS=$'\n'
  COMPREPLY=()
  while read -r line; do
    [[ $line == "$2"* ]] && COMPREPLY+=("$(printf %q "$line")")
  done < <("$1" "${@:3}" | head -n 200)
}

_dsq_commands ()
{
  _dsq_quiet --help | sed -n '/^Commands:/,$ s/^  \([a-z]*\) .*/\1/p'
}

_dsq_options ()
{
  _dsq_quiet "$1" --help | grep -o -E -- '--[a-z-]+=?' | sed 's/=$//' | sort -u
}

# Those whose names need no escapes.
_dsq_tables ()
{
  _dsq_quiet stat --json "$1" | grep -o '{"table":"[^"\\]*"' | sed 's/.*:"//; s/"$//'
}

_dsq_keys ()
{
  _dsq_quiet keys "--prefix=$1" "${@:3}" -- "$2" | grep -v '^["{[]'
}

_dsq ()
{
  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
  local command=${COMP_WORDS[1]} words=() table=() i

  if [ "$COMP_CWORD" = 1 ] && [[ $current != */* ]]; then
    _dsq_complete_lines _dsq_commands "$current"
    [ ${#COMPREPLY[@]} -gt 0 ] || compopt -o default
    return
  fi
  # the words so far that are no options, and which table they are about
  for ((i = 2; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      --table | -T) table=(--table "${COMP_WORDS[++i]}") ;;
      --type | -t | --expire | -e | --prefix | -p | --key | --format | -f | --*-fd | --*-env) ((i++)) ;;
      = | -*) ;;
      *) words+=("$(eval "printf %s ${COMP_WORDS[i]}" 2>/dev/null)") ;;
    esac
  done
  COMPREPLY=()
  case $before in
    --table | -T) [ ${#words[@]} = 0 ] || _dsq_complete_lines _dsq_tables "$current" "${words[0]}" ;;
    --type | -t) mapfile -t COMPREPLY < <(compgen -W "str bytes int float bool null json pickle variant" -- "$current") ;;
    --format | -f) mapfile -t COMPREPLY < <(compgen -W "fields csv json" -- "$current") ;;
    --*-env) mapfile -t COMPREPLY < <(compgen -e -- "$current") ;;
    --*-fd | --expire | -e | --prefix | -p | --key) ;;
    *)
      if [[ $current == -* ]]; then
        _dsq_complete_lines _dsq_options "$current" "$command"
      elif [ ${#words[@]} = 1 ] && [[ " get set del " == *" $command "* ]]; then
        _dsq_complete_lines _dsq_keys "$current" "$current" "${words[0]}" "${table[@]}"
      elif [ "$command" != env ]; then
        compopt -o default
      fi ;;
  esac
}

complete -F _dsq dsq
