#ifndef SHOP_HPP
#define SHOP_HPP

#include "gru4rec/gru4rec.hpp"

/// Four visitors of a small shop.
gru4rec::Dataset visits();

#endif
