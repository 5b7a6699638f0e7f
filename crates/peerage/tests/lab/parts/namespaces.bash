# shellcheck shell=bash
# Part of `lab`: hosts, switches, cables and addresses.

namespace() { echo "$LAB_ID-$1"; }
# ip, inside a host
in_ip() { ip -n "$(namespace "$1")" "${@:2}"; }
# any command, inside a host
inside() { ip netns exec "$(namespace "$1")" "${@:2}"; }

# HOST PATH=VALUE...: settings under /proc/sys/net
set_kernel() {
  # shellcheck disable=SC2016 # expanded by the inner shell
  inside "$1" sh -c \
    'for setting; do echo "${setting#*=}" >"/proc/sys/net/${setting%%=*}"; done' sh "${@:2}"
}

# NAME [6]: a host without a network, with IPv6 if said so
new_host() {
  local name=$1
  [ ${#name} -le 13 ] || die "the name of a host has at most 13 characters: $name"
  ip netns add "$(namespace "$name")"
  echo "$name" >>"$STATE/hosts"
  in_ip "$name" link set lo up
  # No filter by source, as on most systems; and a host that gets a second
  # address keeps it when the first one goes.
  set_kernel "$name" ipv4/conf/{all,default}/rp_filter=0 ipv4/conf/all/promote_secondaries=1
  [ -d /proc/sys/net/ipv6 ] || return 0
  if [ "${2:-}" = 6 ]; then
    # Addresses work at once, without a search for duplicates.
    set_kernel "$name" ipv6/conf/{all,default}/{accept_dad,accept_ra}=0
  else
    set_kernel "$name" ipv6/conf/{all,default}/disable_ipv6=1
  fi
}

new_switch() {
  new_host "$1"
  in_ip "$1" link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0
  in_ip "$1" link set br0 up
}

# HOST INTERFACE SWITCH ADDRESS/LENGTH [GATEWAY]: a cable from a host to a switch
cable() {
  local host=$1 interface=$2 switch=$3 address=$4 gateway=${5:-} port="p-$1"
  ip link add "$interface" netns "$(namespace "$host")" \
    type veth peer name "$port" netns "$(namespace "$switch")"
  in_ip "$switch" link set "$port" master br0 up
  add_address "$host" "$interface" "$address"
  in_ip "$host" link set "$interface" up
  [ -z "$gateway" ] || add_gateway "$host" "$gateway"
  echo "$host $interface $switch $port" >>"$STATE/cables"
}

is_ipv6() { [[ $1 == *:* ]]; }
family_of() { if is_ipv6 "$1"; then echo -6; else echo -4; fi; }

add_address() { # HOST INTERFACE ADDRESS/LENGTH
  if is_ipv6 "$3"; then
    in_ip "$1" addr add "$3" dev "$2" nodad
  else
    in_ip "$1" addr add "$3" dev "$2"
  fi
}

add_gateway() { in_ip "$1" "$(family_of "$2")" route replace default via "$2"; }

# HOST INTERFACE FAMILY: the addresses that were given, with their lengths
addresses_of() {
  in_ip "$1" -o "$3" addr show dev "$2" scope global | awk '{ print $4 }'
}

# HOST: reads its first cable into interface, switch and port
find_cable() {
  read -r interface switch port < <(awk -v host="$1" '$1 == host { print $2, $3, $4; exit }' \
    "$STATE/cables") || die "no host $1 with a cable"
}

# HOST: who has the cable that joins it to the internet; a home's router has it
uplink_of() { cat "$STATE/uplink-$1" 2>/dev/null || echo "$1"; }
