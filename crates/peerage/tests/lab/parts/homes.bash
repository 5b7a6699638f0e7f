# shellcheck shell=bash
# Part of `lab`: public hosts, and homes behind routers.

# Global to every check of addresses, miniupnpd's too, and nobody's: the part
# of the amateurs' 44net that is kept for tests and routed nowhere, and the
# block that the 6bone gave back (RFC 3701).
NET=44.128.7
NET6=3ffe:9:0

number_of() { if [ "$1" = a ]; then echo 1; else echo 2; fi; }
lan4() { echo "10.$(number_of "$1").0"; }
lan6() { echo "$NET6:$(number_of "$1")"; }

# LETTER TYPE: host LETTER, behind a router if the type has one
home() {
  local host=$1 type=$2
  local public="$NET.$((10 + $(number_of "$host")))"
  case $type in
    none)
      new_host "$host"
      cable "$host" eth0 internet "$public/24"
      return ;;
    v6only) home_router6 "$host" ;;
    cgnat) home_behind_carrier "$host" cone "$public" ;;
    cgnatsym) home_behind_carrier "$host" sym "$public" ;;
    *)
      new_host "r$host"
      cable "r$host" wan internet "$public/24"
      local_network "$host" "$(lan4 "$host").1/24"
      route "r$host" "$type" "$public"
      echo "r$host" >"$STATE/uplink-$host" ;;
  esac
  resident "$host" "$host" 2
}

# HOME ROUTER_ADDRESS/LENGTH: the local network of a home
local_network() {
  new_switch "lan$1"
  cable "r$1" lan "lan$1" "$2"
}

# HOME: a router with IPv6 alone: no translation, but a firewall
home_router6() {
  new_host "r$1" 6
  echo v6only >"$STATE/type-r$1"
  cable "r$1" wan internet "$NET6::1$(number_of "$1")/64"
  local_network "$1" "$(lan6 "$1")::1/64"
  set_kernel "r$1" ipv6/conf/all/forwarding=1
  firewall6_rules | inside "r$1" nft -f -
  echo "r$1" >"$STATE/uplink-$1"
}

# HOME TYPE PUBLIC_ADDRESS: a cone router whose provider translates once more
home_behind_carrier() {
  local host=$1 customer
  customer="100.64.$(number_of "$host")"
  new_host "c$host"
  cable "c$host" wan internet "$3/24"
  new_host "r$host"
  ip link add lan netns "$(namespace "c$host")" \
    type veth peer name wan netns "$(namespace "r$host")"
  add_address "c$host" lan "$customer.1/24"
  add_address "r$host" wan "$customer.2/24"
  in_ip "c$host" link set lan up
  in_ip "r$host" link set wan up
  add_gateway "r$host" "$customer.1"
  local_network "$host" "$(lan4 "$host").1/24"
  route "c$host" "$2" "$3"
  route "r$host" cone "$customer.2"
  echo "c$host" >"$STATE/uplink-$host"
}

# HOME NAME OCTET: a host in the local network of a home
resident() {
  local home=$1 name=$2 octet=$3
  if [ "$(cat "$STATE/type-r$home")" = v6only ]; then
    new_host "$name" 6
    cable "$name" eth0 "lan$home" "$(lan6 "$home")::$octet/64" "$(lan6 "$home")::1"
  else
    new_host "$name"
    cable "$name" eth0 "lan$home" "$(lan4 "$home").$octet/24" "$(lan4 "$home").1"
  fi
}

# b behind the router of a, in its local network or in another
home_of_both() { # TYPE same|hairpin
  case $1 in
    none) die "there is no router between two public hosts" ;;
    v6only | remap | sym | cgnat* | udpblock | web)
      [ "$2" != hairpin ] || die "hairpin needs a type that keeps ports, and not $1" ;;
  esac
  home a "$1"
  cp "$STATE/uplink-a" "$STATE/uplink-b"
  if [ "$2" = same ]; then
    resident a b 3
    return
  fi
  new_switch lanb
  cable ra lan2 lanb "$(lan4 b).1/24"
  new_host b
  cable b eth0 lanb "$(lan4 b).2/24" "$(lan4 b).1"
  touch "$STATE/hairpin-ra"
  route ra "$1" "$NET.11"
}

# NAME OCTET [6]: a public host
public_host() {
  new_host "$1" "${3:-}"
  cable "$1" eth0 internet "$NET.$2/24"
  [ -z "${3:-}" ] || add_address "$1" eth0 "$NET6::$2/64"
}

# Tells everyone on the internet's IPv6 where the local networks are.
route_local_networks6() {
  local router host
  for router in ra rb; do
    [ "$(cat "$STATE/type-$router" 2>/dev/null)" = v6only ] || continue
    for host in relay relay2 ra rb; do
      [ "$host" != "$router" ] || continue
      in_ip "$host" -6 route add "$(lan6 "${router#r}")::/64" \
        via "$NET6::1$(number_of "${router#r}")" 2>/dev/null || true # has no IPv6
    done
  done
}
